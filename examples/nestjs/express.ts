import { NestFactory } from '@nestjs/core'
import { SiteModule } from './site.ts'

const app = await NestFactory.create(SiteModule)
await app.listen(3000)
