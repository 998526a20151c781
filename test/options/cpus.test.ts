import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { allowedCpus, cgroupQuota } from '../../src/options/cpus.ts'

describe('the quota of a cgroup', () => {
  const quotaOf = (membership: string, files: Record<string, string>) => cgroupQuota(membership, (path) => files[path])

  test('is what cpu.max allows in each period', () => {
    expect(quotaOf('0::/app\n', { '/app/cpu.max': '150000 100000\n' })).toBe(1.5)
  })

  test('is the tightest on the way to the root', () => {
    const files = { '/a/b/cpu.max': 'max 100000', '/a/cpu.max': '200000 100000', '/cpu.max': '400000 100000' }
    expect(quotaOf('1:name=systemd:/x\n0::/a/b\n', files)).toBe(2)
  })

  test('is none where nothing limits, and where there is no version 2', () => {
    expect(quotaOf('0::/a', {})).toBe(Infinity)
    expect(quotaOf('4:cpu:/a\n', { '/a/cpu.max': '1000 100000' })).toBe(Infinity)
    expect(cgroupQuota(undefined, () => undefined)).toBe(Infinity)
  })
})

test('this process may use at least one CPU and no more than the machine has', () => {
  expect(allowedCpus()).toBeGreaterThanOrEqual(1)
  expect(allowedCpus()).toBeLessThanOrEqual(availableParallelism())
})
