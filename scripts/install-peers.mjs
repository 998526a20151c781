/**
 * Installs the servers that the tests run against, with apt-get, where this user may. Under CI=true what is still
 * missing afterwards is an error; elsewhere it is a warning, and the tests that need it are skipped by name.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { DOCKER_PEERS, findCommand, isInstalled, PEERS } from './peers.mjs'

/** Debian starts a service when its package is installed, unless this script says no (101: "action forbidden"). */
const policyFile = '/usr/sbin/policy-rc.d'

/** `install-peers.mjs docker`: for the tests with Docker. */
const peers = process.argv[2] === 'docker' ? DOCKER_PEERS : PEERS

const missing = () => peers.filter((peer) => !isInstalled(peer)).map((peer) => peer.package)

/** What to put before a command that needs root, or undefined where this user cannot become root without being asked. */
function rootPrefix() {
  if (process.getuid?.() === 0) return []
  if (findCommand('sudo') === undefined) return undefined
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined
}

function runAsRoot(prefix, command, input) {
  const [program, ...parameters] = [...prefix, ...command]
  const result = spawnSync(program, parameters, {
    input: input ?? '',
    stdio: ['pipe', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return result.status === 0
}

/** @returns what undoes it */
function keepServicesStopped(prefix) {
  if (existsSync(policyFile)) return () => 'it was there before: it stays'
  const script = '#!/bin/sh\nexit 101\n'
  if (prefix.length === 0) writeFileSync(policyFile, script, { mode: 0o755 })
  else {
    runAsRoot(prefix, ['tee', policyFile], script)
    runAsRoot(prefix, ['chmod', '755', policyFile])
  }
  return () => (prefix.length === 0 ? rmSync(policyFile, { force: true }) : runAsRoot(prefix, ['rm', '-f', policyFile]))
}

function install(packages) {
  if (findCommand('apt-get') === undefined) return 'there is no apt-get on this machine'
  const prefix = rootPrefix()
  if (prefix === undefined) return 'this user may not run apt-get (neither root nor passwordless sudo)'
  const startServices = keepServicesStopped(prefix)
  // apt-get gets the Ctrl-C too and ends; without a listener we would end before the policy file is removed.
  const survive = () => console.error('tsgi: waiting for apt-get to end')
  process.on('SIGINT', survive).on('SIGTERM', survive)
  try {
    const wait = ['-o', 'DPkg::Lock::Timeout=300']
    console.error(`> apt-get install ${packages.join(' ')}`)
    if (!runAsRoot(prefix, ['apt-get', ...wait, '-qq', 'update'])) return 'apt-get update failed'
    const command = ['apt-get', ...wait, '-qq', '-y', '--no-install-recommends', 'install', ...packages]
    return runAsRoot(prefix, command) ? undefined : 'apt-get install failed'
  } finally {
    process.off('SIGINT', survive).off('SIGTERM', survive)
    startServices()
  }
}

const wanted = missing()
if (wanted.length > 0) {
  const failure = install(wanted)
  const absent = missing()
  if (absent.length > 0) {
    const reason = failure ?? 'they were installed but their programs are not where they should be'
    console.error(`\ntsgi: missing test peers: ${absent.join(', ')}\n      ${reason}`)
    if (process.env.CI === 'true') process.exitCode = 1
    else console.error('      Tests that need them are SKIPPED: this run does not show that tsgi works behind them.\n')
  }
}
