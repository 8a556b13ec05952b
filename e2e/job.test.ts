import test from 'ava'
import { jobNamed, jobsOf, SHAPES } from './job.ts'
import type { Scenario } from './scenario.ts'

const scenario = (name: string, more: Partial<Scenario> = {}): Scenario => ({
  name,
  summary: name,
  run: async () => {},
  ...more,
})

test('a scenario is a job in each shape that is asked for, the longest first', (t) => {
  const all = [
    scenario('a'),
    scenario('b', { timeoutSeconds: 300 }),
    scenario('switch', { datapaths: 'its own' }),
    scenario('big', { datapaths: ['single'], timeoutSeconds: 200 }),
  ]
  const names = (shapes: Parameters<typeof jobsOf>[1]) => jobsOf(all, shapes).map(({ name }) => name)
  t.deepEqual(names(SHAPES), ['b (per-vni)', 'b (single)', 'big (single)', 'a (per-vni)', 'a (single)', 'switch'])
  t.deepEqual(names(['per-vni']), ['b (per-vni)', 'a (per-vni)', 'switch'])
})

test("a job's name says which job it is", (t) => {
  for (const job of jobsOf([scenario('a'), scenario('s', { datapaths: 'its own' })], SHAPES)) {
    t.deepEqual(jobNamed(job.name), job)
  }
})
