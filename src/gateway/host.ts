/** `example.com`, `example.com:8080`, `[::1]:8080`, taken apart; the name keeps its brackets. */
export function splitHost(host: string): { readonly name: string; readonly port: string | undefined } {
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  return { name, port }
}

export function defaultPort(scheme: 'http' | 'https'): string {
  return scheme === 'https' ? '443' : '80'
}
