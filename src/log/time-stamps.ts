/** Time stamps for lines written many times a second: the text of a second is made once. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Milliseconds since the epoch to `2026-11-21T10:36:00.123Z`. */
export function createIsoClock(): (timeMs: number) => string {
  let second = Number.NaN
  let prefix = ''
  return (timeMs) => {
    const wanted = Math.floor(timeMs / 1000)
    if (wanted !== second) {
      second = wanted
      prefix = new Date(wanted * 1000).toISOString().slice(0, 20)
    }
    const ms = Math.floor(timeMs - second * 1000)
    return `${prefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
  }
}

/** Milliseconds since the epoch to `[21/Nov/2026:10:36:00 +0000]`, local time, as Apache's `%t` writes it. */
export function createCommonLogClock(): (timeMs: number) => string {
  let second = Number.NaN
  let formatted = ''
  return (timeMs) => {
    const wanted = Math.floor(timeMs / 1000)
    if (wanted !== second) {
      second = wanted
      formatted = commonLogTime(new Date(wanted * 1000))
    }
    return formatted
  }
}

function commonLogTime(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  return `[${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}]`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
