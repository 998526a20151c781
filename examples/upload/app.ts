import { createHash } from 'node:crypto'
import busboy from 'busboy'
import express from 'express'
import multer from 'multer'

const app = express()

/** multer holds the file. */
app.post('/multer', multer().single('file'), (request, response) => {
  const { file } = request
  if (file === undefined) response.status(400).json({ error: 'a field "file" is wanted' })
  else response.json({ name: file.originalname, bytes: file.size, sha256: sha256(file.buffer) })
})

/** busboy streams it: a file of any size passes through a few buffers. */
app.post('/busboy', (request, response) => {
  const uploads = busboy({ headers: request.headers })
  uploads.on('file', (_field, stream, { filename }) => {
    const hash = createHash('sha256')
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      hash.update(chunk)
    })
    stream.on('end', () => response.json({ name: filename, bytes, sha256: hash.digest('hex') }))
  })
  uploads.on('error', () => response.status(400).json({ error: 'this is no form' }))
  request.pipe(uploads)
})

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

export default app
