/** The text of each generated page by its path, relative to the checkout. */
export function generatePages(): Promise<Readonly<Record<string, string>>>
