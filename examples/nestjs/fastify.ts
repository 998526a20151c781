import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { SiteModule } from './site.ts'

export default await NestFactory.create<NestFastifyApplication>(SiteModule, new FastifyAdapter())
