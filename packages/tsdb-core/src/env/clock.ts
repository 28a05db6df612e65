/** Time and timers. Durations are measured with `monotonicMs`, which never jumps; sample times are `wallMs`. */
export interface Clock {
  /** Milliseconds since the Unix epoch. It may jump in either direction. */
  wallMs(): number
  /** Milliseconds since some fixed moment. It never falls. */
  monotonicMs(): number
  /** Runs `callback` once after `delayMs`. A timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Lets the event loop turn once: input, timers and other work get their chance. */
  yield(): Promise<void>
}

export interface Timer {
  cancel(): void
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}
