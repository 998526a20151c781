'use server'

import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'

/** A cookie and not a variable: the next request may be answered by another worker. */
export async function sign(form) {
  const jar = await cookies()
  jar.set('visitor', String(form.get('name')), { httpOnly: true })
  redirect('/')
}
