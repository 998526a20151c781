export interface NginxPrefix {
  /** An existing private directory. */
  readonly prefix: string
  readonly siteFiles: readonly string[]
  /** One for each site file: text in it, and what to put in its place. */
  readonly substitutions: readonly Readonly<Record<string, string>>[]
  /** The folder nginx/ of this package. */
  readonly sharedDirectory: string
  readonly workerProcesses?: number
  /** Of nginx's error log, on standard error. Default notice. */
  readonly logLevel?: string
  /** Directives for the main and the http block. */
  readonly extraMain?: string
  readonly extraHttp?: string
}
export function substitute(text: string, substitutions: Readonly<Record<string, string>>, fileName: string): string
export function writeNginxPrefix(options: NginxPrefix): string[]
