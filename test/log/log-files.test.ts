import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findUser } from '../../src/master/accounts.ts'
import { runTsgi } from '../cli/run-tsgi.ts'
import { isAlive, openDescriptors } from '../support/proc.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, onlyWorker, startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const isRoot = process.getuid?.() === 0

function deployed(
  code = 'export const application = (environ, startResponse) => { startResponse("200 OK", []); return [] }',
) {
  const directory = tempDir('tsgi-logs-')
  const app = join(directory, 'app.mjs')
  writeFileSync(app, code)
  const logs = join(directory, 'logs')
  mkdirSync(logs)
  const control = join(directory, 'ctl.sock')
  const args = ['--uwsgi', join(directory, 'app.sock'), '--control', control, '--workers', '1']
  return { directory, app, logs, control, args }
}

const reopenLogs = (control: string) => runTsgi(['ctl', 'reopen-logs', '--control', control])

const has = (file: string, pattern: RegExp): Promise<true> =>
  until(`${pattern} in ${file}`, () => existsSync(file) && pattern.test(readFileSync(file, 'utf8')))

test('log files whose folder was moved away go on there: nothing else stops, and who asked is told', async () => {
  const { app, logs, control, args } = deployed()
  const [log, access] = [join(logs, 'p.log'), join(logs, 'a.log')]
  const tsgi = await startTsgi({
    app,
    args: [...args, '--log-file', log, '--access-log', 'json', '--access-log-file', access],
    waitUntilReady: false,
  })
  await has(log, /"msg":"ready/)
  const worker = await onlyWorker(tsgi)
  renameSync(logs, `${logs}.old`)
  const old = join(`${logs}.old`, 'p.log')
  tsgi.signal('SIGUSR1')
  await has(old, /"name":"tsgi","msg":"cannot open the log file \S+p\.log: ENOENT.*; its lines go on to the file that/)
  for (const file of ['p', 'a']) {
    await has(old, new RegExp(`"name":"worker 1","msg":"cannot open the log file \\S+${file}\\.log: ENOENT`))
  }
  const failed = await reopenLogs(control)
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  expect(failed.stderr).toMatch(/^tsgi: reopen-logs failed: cannot open the log file \S+p\.log: ENOENT.*\n$/)

  mkdirSync(logs)
  expect(await reopenLogs(control)).toEqual({ code: 0, stdout: 'done\n', stderr: '' })
  await until('the access log is open', () => existsSync(access))
  expect(tsgi.workerPids()).toEqual([worker])

  // A worker that starts has no file of old.
  renameSync(logs, `${logs}.older`)
  process.kill(worker, 'SIGKILL')
  await has(join(`${logs}.older`, 'p.log'), /"msg":"worker 1 \(pid \d+\) could not start: cannot open the log file/)
  expect(readFileSync(join(`${logs}.older`, 'p.log'), 'utf8')).not.toContain('the application')
  mkdirSync(logs)
  await until('a worker has opened them', () => existsSync(access))
  expect(isAlive(tsgi.pid)).toBe(true)
  tsgi.signal('SIGTERM')
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
})

test('log files are opened again by a worker that starts, too, while it loads and before its application is up', async () => {
  const { directory, app, logs, args } = deployed()
  writeFileSync(
    app,
    `import { existsSync } from 'node:fs'
     const passes = async (gate) => {
       console.log('at the gate ' + gate)
       while (!existsSync('${directory}/' + gate)) await new Promise((resolve) => setTimeout(resolve, 10))
     }
     await passes('loaded')
     export default async (scope, receive, send) => {
       if (scope.type !== 'lifespan') return
       await passes('up')
       await send({ type: 'lifespan.startup.complete' })
     }`,
  )
  const [log, access] = [join(logs, 'p.log'), join(logs, 'a.log')]
  const files = ['--log-file', log, '--access-log', 'json', '--access-log-file', access]
  const tsgi = await startTsgi({ app, args: [...args, ...files, '--interface', 'async'], waitUntilReady: false })
  const rotate = async (worker: number, open: readonly string[]): Promise<void> => {
    for (const file of open) renameSync(file, `${file}.1`)
    tsgi.signal('SIGUSR1')
    await until(`${open.join(' and ')} are open`, () => {
      const found = openDescriptors(worker).filter((target) => target.startsWith(logs))
      return found.sort().join() === [...open].sort().join()
    })
  }
  await tsgi.waitForLog(/^at the gate loaded$/)
  const worker = await onlyWorker(tsgi)
  await rotate(worker, [log])
  writeFileSync(join(directory, 'loaded'), '')
  await tsgi.waitForLog(/^at the gate up$/)
  await rotate(worker, [log, access])
  writeFileSync(join(directory, 'up'), '')
  await has(log, /"msg":"ready/)
  await rotate(worker, [log, access])
  expect(tsgi.workerPids()).toEqual([worker])
})

describe.runIf(isRoot)('with --user', () => {
  const nobody = findUser('nobody')
  const give = (path: string) => chownSync(path, nobody.uid, nobody.gid ?? nobody.uid)

  test('an application that puts a link in the place of its log gets nothing that is not its own', async () => {
    const { directory, app, logs, args } = deployed()
    const [access, secret] = [join(logs, 'a.log'), join(directory, 'secret')]
    writeFileSync(secret, 'kept', { mode: 0o600 })
    give(logs)
    writeFileSync(
      app,
      `import { renameSync, symlinkSync } from 'node:fs'
       export const application = () => []
       process.once('SIGUSR2', () => {
         renameSync('${access}', '${access}.1')
         symlinkSync('${secret}', '${access}')
         process.exit(1)
       })`,
    )
    const tsgi = await startTsgi({
      app,
      args: [...args, '--user', 'nobody', '--access-log', 'json', '--access-log-file', access],
    })
    expect(statSync(access).uid).toBe(nobody.uid)
    process.kill(await onlyWorker(tsgi), 'SIGUSR2')
    await tsgi.waitForLog(/worker 1 \(pid \d+\) could not start: cannot open the log file \S+: EACCES/)
    const line = tsgi.process.lines.length
    tsgi.signal('SIGUSR1')
    await tsgi.waitForLog(/could not start: cannot open the log file/, { fromLine: line })
    expect(statSync(secret)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 })
    expect(readFileSync(secret, 'utf8')).toBe('kept')
  })

  test("in a folder of root's, the files after a rotation are new and the workers'", async () => {
    const { app, logs, control, args } = deployed()
    const [log, access] = [join(logs, 'p.log'), join(logs, 'a.log')]
    await startTsgi({
      app,
      args: [...args, '--user', 'nobody', '--log-file', log, '--access-log', 'json', '--access-log-file', access],
      waitUntilReady: false,
    })
    await has(log, /"msg":"ready/)
    for (const file of [log, access]) renameSync(file, `${file}.1`)
    expect(await reopenLogs(control)).toEqual({ code: 0, stdout: 'done\n', stderr: '' })
    for (const file of [log, access]) expect(statSync(file).uid).toBe(nobody.uid)
    await reopenLogs(control)
    await has(log, /"name":"tsgi".*reopen-logs/)
    expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('cannot open')
  })

  test.each(['--log-file', '--access-log-file'])(
    'a %s that they may not write is told at once, with 2',
    async (flag) => {
      const { app, logs, args } = deployed()
      chmodSync(logs, 0o700)
      const tsgi = await startTsgi({
        app,
        args: [...args, '--user', 'nobody', '--access-log', 'json', flag, join(logs, 'x.log')],
        waitUntilReady: false,
      })
      expect(await tsgi.process.exited).toEqual({ code: 2, signal: null })
      const said = tsgi.process.lines.join('\n')
      expect(said.match(/cannot open the log file/g)).toHaveLength(1)
      expect(said).toMatch(/x\.log: EACCES: .*; user \d+ must be allowed to write it/)
      expect(said).not.toMatch(/ {4}at |the application/)
    },
  )

  test('a folder of log files that is closed to them later stops none of them', async () => {
    const { app, logs, args } = deployed()
    const log = join(logs, 'p.log')
    const tsgi = await startTsgi({ app, args: [...args, '--user', 'nobody', '--log-file', log], waitUntilReady: false })
    await has(log, /"msg":"ready/)
    const worker = await onlyWorker(tsgi)
    chmodSync(logs, 0o700)
    tsgi.signal('SIGUSR1')
    for (const name of ['tsgi', 'worker 1']) await has(log, new RegExp(`"name":"${name}","msg":"cannot open the log`))
    expect(tsgi.workerPids()).toEqual([worker])
  })
})

const built = (name: string) => JSON.stringify(pathToFileURL(join(commandLine, '..', '..', 'log', `${name}.js`)).href)

const runCode = (code: string, stdio: StdioOptions) =>
  spawn(process.execPath, ['--input-type', 'module', '-e', code], { stdio })

/** @returns how it ended; killed where it does not end by itself */
async function endOf(child: ChildProcess): Promise<unknown[]> {
  const patience = setTimeout(() => child.kill('SIGKILL'), 8000)
  const ended = await once(child, 'exit')
  clearTimeout(patience)
  return ended
}

test('a reader that sleeps keeps nobody from leaving, however many lines wait for it', async () => {
  // As Node makes the pipes of a process that uses process.stdout: a write that would wait fails.
  const code = `import { openBackgroundFile } from ${built('background-file')}
    process.stdout.isTTY
    const log = openBackgroundFile(1, 4096)
    for (let count = 0; count < 200; count += 1) log.write('x'.repeat(4095) + '\\n')
    process.on('exit', () => log.writeSync('last\\n'))
    process.exit(0)`
  expect(await endOf(runCode(code, ['ignore', 'pipe', 'inherit']))).toEqual([0, null])
})

test('a reader of standard error that sleeps stops nobody who has something to say', async () => {
  const code = `import { createLog } from ${built('logger')}
    process.stderr.isTTY
    const log = createLog({ level: 'info', format: 'json', name: 'a' })
    for (let count = 0; count < 5000; count += 1) log.info('x'.repeat(100))
    process.exit(0)`
  expect(await endOf(runCode(code, ['ignore', 'inherit', 'pipe']))).toEqual([0, null])
})

test('a log that nobody reads any more, and standard error neither, end no process', async () => {
  const code = `import { tellOnce } from ${built('faults')}
    process.stdin.resume().once('end', () => {
      process.stderr.once('error', () => {
        tellOnce(2)(new Error('EPIPE'))
        // An error that nobody listens to comes by then.
        let turns = 0
        const look = () => (turns++ < 100 ? setImmediate(look) : process.exit(0))
        look()
      })
      tellOnce(1)(new Error('EPIPE'))
    })`
  const child = runCode(code, ['pipe', 'ignore', 'pipe'])
  child.stderr?.destroy()
  child.stdin?.end()
  expect(await endOf(child)).toEqual([0, null])
})

test.runIf(existsSync('/dev/full'))('why it ended is on standard error where the log could not take it', async () => {
  const { app, args } = deployed('throw new Error("out of order")')
  const ended = await runTsgi(['serve', app, ...args, '--log-file', '/dev/full'])
  expect(ended).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/tsgi: ended with exit code 3: .*out of order/),
  })
})
