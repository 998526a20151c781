import type { Config } from './table.ts'

/** Gives a configuration file its types; returns what it is given. */
export function defineConfig(config: Config): Config {
  return config
}
