/** Histogram samples in aggregations. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { PositionRange } from '../ast.js'
import { PromqlError } from '../errors.js'
import type { VectorBatch } from './vector-batch.js'

export class HistogramCells {
  constructor(_steps: number, _position: PositionRange, _context: unknown, _mean: boolean) {}

  addRow(_batch: VectorBatch, _row: number, _group: number): void {
    throw unsupported()
  }

  finish(_group: number, _step: number, _hasFloat: boolean, _out: VectorBatch): boolean {
    return false
  }
}

export function histogramText(_histogram: Histogram): string {
  throw unsupported()
}

export function unsupported(): PromqlError {
  return new PromqlError('execution', 'native histograms are not supported here yet')
}
