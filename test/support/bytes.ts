/** One byte for each character: how wire vectors are written. */
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
