/** For mocha: one line of JSON for each test into the file that TSGI_SUITE_RESULTS names. */

const { appendFileSync } = require('node:fs')
const { relative } = require('node:path')

module.exports = function report(runner) {
  const write = (test, passed, error) => {
    const id = [relative(process.cwd(), test.file ?? ''), ...test.titlePath()].join(' > ')
    appendFileSync(process.env.TSGI_SUITE_RESULTS, `${JSON.stringify({ id, passed, error: error?.message })}\n`)
  }
  runner.on('pass', (test) => write(test, true))
  runner.on('fail', (test, error) => write(test, false, error))
}
