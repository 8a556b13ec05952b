/** One Stage for a file of tests. */
import test from 'ava'
import { Stage } from './stage.ts'

/** Opens it before the file's first test and closes it after the last. @returns the stage, while tests run */
export function stageSuite(options?: Parameters<typeof Stage.open>[0]): () => Stage {
  let stage: Stage
  test.before(async (t) => {
    t.timeout(180_000)
    stage = await Stage.open(options)
    t.log(`API server: ${stage.cluster.name}`)
  })
  test.after.always(() => stage?.[Symbol.asyncDispose]())
  return () => stage
}
