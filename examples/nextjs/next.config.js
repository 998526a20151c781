export default {
  // A server.js with all that it needs beside it, made to be copied to where it runs: this is what `tsgi serve` is given.
  output: 'standalone',
  // The folder has a lock file of its own: nothing above it belongs to the application.
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  // nginx would keep a streamed page until it is whole.
  headers: async () => [{ source: '/slow', headers: [{ key: 'X-Accel-Buffering', value: 'no' }] }],
}
