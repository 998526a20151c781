export function builtNextjs(): string | undefined
