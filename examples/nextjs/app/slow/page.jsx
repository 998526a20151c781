import { setTimeout as delay } from 'node:timers/promises'
import { connection } from 'next/server'
import { Suspense } from 'react'

async function Figures() {
  await connection()
  await delay(500)
  return <p>The figures are here.</p>
}

/** The head of the page and the fallback leave at once, the figures follow in the same response. */
export default function Page() {
  return (
    <main>
      <h1>Streamed</h1>
      <Suspense fallback={<p>Counting ...</p>}>
        <Figures />
      </Suspense>
    </main>
  )
}
