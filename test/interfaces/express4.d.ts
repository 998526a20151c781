/** Express 4 under a name of its own; the types of Express 5 cover what the tests and examples use. */
declare module 'express4' {
  export { default } from 'express'
}
