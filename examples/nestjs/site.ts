import {
  Body,
  Controller,
  Get,
  Inject,
  Injectable,
  Ip,
  Module,
  Param,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common'

@Injectable()
export class Greeter {
  greet(name: string): string {
    return `Hello from ${name}!`
  }
}

@Controller()
export class SiteController {
  readonly #greeter: Greeter

  // Named, because no loader that works file by file (tsx, esbuild, SWC without metadata) tells Nest the types of parameters.
  constructor(@Inject(Greeter) greeter: Greeter) {
    this.#greeter = greeter
  }

  @Get()
  greet(): string {
    return this.#greeter.greet('NestJS')
  }

  @Get('users/:id')
  user(@Param('id') id: string, @Ip() ip: string): object {
    return { id, ip }
  }

  @Post('echo')
  echo(@Body() body: unknown): unknown {
    return body
  }

  @Get('fails')
  async fails(): Promise<never> {
    throw new ServiceUnavailableException('not today')
  }
}

@Module({ controllers: [SiteController], providers: [Greeter] })
export class SiteModule {}
