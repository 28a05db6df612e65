export { Fleet, type FleetBatch, type FleetOptions, type FleetSeries } from './fleet/fleet.js'
