import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findUser } from '../../src/master/accounts.ts'
import { logFilesOf } from '../../src/master/log-files.ts'
import { openMasterLog } from '../../src/master/master-log.ts'
import { tempDir } from '../support/temp-dir.ts'

describe.runIf(process.getuid?.() === 0)('with --user, a log file', () => {
  const { uid, gid = uid } = findUser('nobody')
  const files = logFilesOf({ uid, gid, groups: [gid], name: 'nobody', home: undefined })
  const create = (accessLogFile: string) => files.create({ logFile: undefined, accessLog: 'json', accessLogFile })

  /** A folder of root's, and in it one of the workers' user and one of root's own. */
  function ground() {
    const root = tempDir('tsgi-logs-')
    const [theirs, secret] = [join(root, 'theirs'), join(root, 'secret')]
    for (const folder of [theirs, secret]) mkdirSync(folder)
    chownSync(theirs, uid, gid)
    return { root, theirs, secret }
  }

  const asBefore = { uid: process.geteuid?.(), gid: process.getegid?.(), groups: process.getgroups?.() }
  const now = () => ({ uid: process.geteuid?.(), gid: process.getegid?.(), groups: process.getgroups?.() })

  test('that is new is theirs, in their folder and in one where root alone may create it', () => {
    const { root, theirs } = ground()
    for (const folder of [theirs, root]) {
      const path = join(folder, 'x.log')
      create(path)
      expect(statSync(path)).toMatchObject({ uid, gid })
      expect(statSync(path).mode & 0o777).toBe(0o640)
    }
    expect(now()).toEqual(asBefore)
  })

  test('that is there already stays whose it is', () => {
    const { root, theirs } = ground()
    for (const folder of [theirs, root]) {
      const path = join(folder, 'x.log')
      writeFileSync(path, 'kept', { mode: 0o600 })
      create(path)
      expect(statSync(path)).toMatchObject({ uid: 0, gid: 0 })
      expect(readFileSync(path, 'utf8')).toBe('kept')
    }
  })

  test.each(['log', 'none'])('whose place a link took gives nothing away (%s)', (target) => {
    const { theirs, secret } = ground()
    const path = join(theirs, 'x.log')
    writeFileSync(join(secret, 'log'), 'kept', { mode: 0o600 })
    symlinkSync(join(secret, target), path)
    create(path)
    expect(statSync(join(secret, 'log'))).toMatchObject({ uid: 0, gid: 0 })
    expect(existsSync(join(secret, 'none'))).toBe(false)
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
  })

  test('is created nowhere that they could lead root to', () => {
    const { root, theirs, secret } = ground()
    const inTheirs = join(theirs, 'logs')
    mkdirSync(inTheirs)
    const ways = [join(inTheirs, 'x.log')]
    // A link of theirs in the place of a folder; one of root's that leads over it; one of theirs in a folder like /tmp.
    symlinkSync(secret, join(theirs, 'link'))
    ways.push(join(theirs, 'link', 'x.log'))
    symlinkSync(join(theirs, 'link'), join(root, 'over'))
    ways.push(join(root, 'over', 'x.log'))
    const sticky = join(root, 'sticky')
    mkdirSync(sticky)
    chmodSync(sticky, 0o1777)
    files.openAs(() => symlinkSync(secret, join(sticky, 'link')))
    ways.push(join(sticky, 'link', 'x.log'))
    for (const path of ways) {
      expect(() => create(path)).toThrow(/user nobody may not create it, and root does not where that user/)
      expect(files.tryCreate({ logFile: path, accessLog: 'off', accessLogFile: undefined })).toHaveLength(1)
    }
    expect(existsSync(join(secret, 'x.log'))).toBe(false)
    expect(existsSync(join(inTheirs, 'x.log'))).toBe(false)
    // In a sticky folder a folder of root's cannot be moved.
    mkdirSync(join(sticky, 'mine'))
    create(join(sticky, 'mine', 'x.log'))
    expect(statSync(join(sticky, 'mine', 'x.log'))).toMatchObject({ uid, gid })
  })

  test('of a folder that is not there is a mistake of the operator', () => {
    expect(() => create(join(tempDir(), 'none', 'x.log'))).toThrow(
      expect.objectContaining({
        code: 'TSGI_USAGE',
        message: expect.stringMatching(/^cannot open the log .*: ENOENT/),
      }),
    )
    expect(now()).toEqual(asBefore)
  })

  test.each(['symbolic', 'hard'])('of the master is not written through a link (%s)', (kind) => {
    const { theirs, secret } = ground()
    const choices = { logLevel: 'info', logFormat: 'json', logFile: join(theirs, 'x.log') } as const
    const log = openMasterLog(choices, files.openAs)
    log.info({}, 'one')
    renameSync(choices.logFile, `${choices.logFile}.1`)
    writeFileSync(join(secret, 'log'), 'kept\n', { mode: 0o600 })
    if (kind === 'hard') linkSync(join(secret, 'log'), choices.logFile)
    else symlinkSync(join(secret, 'log'), choices.logFile)
    expect(log.reopen()?.message).toMatch(/EACCES: .*; user \d+ must be allowed to write it$/)
    log.info({}, 'two')
    // What a reload to another format opens is the same file.
    log.adopt({ ...choices, logFormat: 'pretty' })
    log.info({}, 'three')
    expect(readFileSync(join(secret, 'log'), 'utf8')).toBe('kept\n')
    expect(readFileSync(`${choices.logFile}.1`, 'utf8')).toMatch(/one[\s\S]*two[\s\S]*three/)
    expect(() => openMasterLog(choices, files.openAs)).toThrow(expect.objectContaining({ code: 'TSGI_USAGE' }))
  })
})
