import { createSchema, createYoga } from 'graphql-yoga'

const messages = ['welcome']

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query {
      hello(name: String!): String!
      messages: [String!]!
    }
    type Mutation {
      say(text: String!): Int!
    }
    type Subscription {
      countdown(from: Int!): Int!
    }
  `,
  resolvers: {
    Query: {
      hello: (_parent: unknown, { name }: { name: string }) => `Hello, ${name}!`,
      messages: () => messages,
    },
    Mutation: {
      say: (_parent: unknown, { text }: { text: string }) => messages.push(text),
    },
    Subscription: {
      countdown: {
        async *subscribe(_parent: unknown, { from }: { from: number }) {
          for (let left = from; left > 0; left--) yield { countdown: left }
        },
      },
    },
  },
})

export default createYoga({ schema })
