import { describe } from 'vitest'
import { findCommand } from '../../scripts/peers.mjs'

export const isInstalled = (command: string): boolean => findCommand(command) !== undefined

/** @throws where it is missing: only for what runs inside `describeWith` */
export function commandPath(command: string): string {
  const path = findCommand(command)
  if (path === undefined) throw new Error(`${command} is not installed`)
  return path
}

/** Like `describe`; skipped, with the reason in its name, where one of the commands is missing. */
export function describeWith(commands: readonly string[], name: string, define: () => void): void {
  const missing = commands.filter((command) => !isInstalled(command))
  if (missing.length === 0) describe(name, define)
  else describe.skip(`${name} (not installed: ${missing.join(', ')})`, define)
}
