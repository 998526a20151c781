import { createServer } from 'node:http'
import { Server } from 'socket.io'

const server = createServer((_request, response) => {
  response.end('socket.io is at /socket.io/\n')
})

const io = new Server(server)

io.on('connection', (socket) => {
  socket.emit('welcome', socket.conn.transport.name)
  socket.on('say', (text, reply) => {
    io.emit('said', text)
    reply(`heard ${text}`)
  })
})

server.listen(3000)
