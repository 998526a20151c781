import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteString, pathText, quotePath, rawPath, strictText, text } from '../../src/gateway/text.ts'

describe('byte strings (PEP 3333, Unicode Issues)', () => {
  test('text goes to bytes and back', () => {
    expect(byteString('café')).toBe('caf\u00c3\u00a9')
    expect(text('caf\u00c3\u00a9')).toBe('café')
    expect(strictText(byteString('日本 😀'))).toBe('日本 😀')
  })

  test('every well-formed text survives the way through bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const bytes = byteString(value)
        return /^[\x00-\xff]*$/.test(bytes) && strictText(bytes) === value && text(bytes) === value
      }),
      { seed: 3333, numRuns: 500 },
    )
  })

  test('bytes that are no UTF-8 are null when asked strictly and U+FFFD otherwise', () => {
    expect(pathText({ PATH_INFO: '/c\u0080' })).toBeNull()
    expect(pathText({ PATH_INFO: '/a\u00c3' })).toBeNull()
    expect(text('/c\u0080')).toBe('/c\ufffd')
  })

  test('a byte order mark is a character like any other', () => {
    expect(strictText('\u00ef\u00bb\u00bfx')).toBe('\ufeffx')
  })

  test('text where bytes belong is told, not cut down to other characters', () => {
    expect(strictText('\u010a')).toBeNull()
    expect(text('\u010a')).toBe('\u010a')
    expect(quotePath('/\u010a')).toBe('/%C4%8A')
  })
})

describe('rawPath', () => {
  const environ = { SCRIPT_NAME: '/api', PATH_INFO: '/a/b' }

  test('keeps %2F and // that PATH_INFO has lost', () => {
    expect(rawPath({ ...environ, REQUEST_URI: '/api//a%2Fb?x=/y' })).toBe('/api//a%2Fb')
  })

  test('takes the path out of an absolute-form target', () => {
    expect(rawPath({ ...environ, REQUEST_URI: 'http://host:8000/api/x?q' })).toBe('/api/x')
    expect(rawPath({ ...environ, REQUEST_URI: 'http://host' })).toBe('/')
  })

  test('is rebuilt byte by byte where the front server sends no REQUEST_URI', () => {
    expect(rawPath({ SCRIPT_NAME: '', PATH_INFO: '/c\u00c3\u00a9%' })).toBe('/c%C3%A9%25')
  })

  test('gives the asterisk of OPTIONS as it is', () => {
    expect(rawPath({ ...environ, REQUEST_URI: '*' })).toBe('*')
  })
})
