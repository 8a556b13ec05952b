import test from 'ava'
import { ApiError } from '../kube/api-error.ts'
import type { Api } from '../kube/api.ts'
import { kubeObjects } from './kube-objects.ts'

const at = { type: { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }, namespace: 'a', name: 'b' }
const object = { metadata: { name: 'b' } }
const { signal } = new AbortController()

/** An API whose every call answers or fails in one way. */
function answering(answer: object | number): Api {
  const call = async (): Promise<object> => {
    if (typeof answer === 'number') throw new ApiError(`status ${answer}`, { status: answer, reason: 'x' })
    return answer
  }
  return { get: call, create: call, replace: call, apply: call } as unknown as Api
}

test('what is expected to happen is an answer', async (t) => {
  const [fine, gone, taken] = [answering(object), answering(404), answering(409)].map(kubeObjects)
  t.deepEqual(await fine?.get(at, signal), object)
  t.is(await gone?.get(at, signal), undefined)
  t.deepEqual([await fine?.create(at, object, signal), await taken?.create(at, object, signal)], [true, false])
  t.deepEqual([await fine?.replace(at, object, signal), await taken?.replace(at, object, signal)], [true, false])
  t.false(await gone?.replace(at, object, signal))
})

test('everything else is an error', async (t) => {
  const forbidden = kubeObjects(answering(403))
  await t.throwsAsync(forbidden.get(at, signal), { message: 'status 403' })
  await t.throwsAsync(forbidden.create(at, object, signal))
  await t.throwsAsync(forbidden.replace(at, object, signal))
  await t.throwsAsync(kubeObjects(answering(404)).create(at, object, signal))
  await t.throwsAsync(kubeObjects(answering(409)).apply(at, object, signal))
})
