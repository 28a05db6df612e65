/** What one column of an aggregated series holds for each window. Raw samples are `'value'`. */
export type AggregateColumn = 'value' | 'last' | 'min' | 'max' | 'sum' | 'count' | 'increase'
