/** What stands before the first `separator`, and what behind it: `''` where there is none. */
export function splitOnce(text: string, separator: string): [before: string, behind: string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}
