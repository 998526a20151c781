import { cookies, headers } from 'next/headers'
import Link from 'next/link'
import { sign } from './sign.js'

export default async function Page() {
  const visitor = (await cookies()).get('visitor')?.value ?? 'stranger'
  const address = (await headers()).get('x-forwarded-for')
  return (
    <main>
      {/* biome-ignore lint/performance/noImgElement: a file of public/, as it is */}
      <img src="/logo.svg" alt="" width="64" height="64" />
      <h1>Hello from Next.js!</h1>
      <p>{`Welcome, ${visitor} from ${address}.`}</p>
      <form action={sign}>
        <input name="name" placeholder="Your name" required />
        <button type="submit">Sign in</button>
      </form>
      <Link href="/slow">A page that is streamed</Link>
    </main>
  )
}
