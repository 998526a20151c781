export function GET(request) {
  const name = new URL(request.url).searchParams.get('name') ?? 'World'
  return Response.json({ hello: name })
}

export async function POST(request) {
  return Response.json(await request.json(), { status: 201 })
}
