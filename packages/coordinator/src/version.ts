/** What this program is called in banners, headers and `buildinfo`. Checked against package.json by a test. */
export const VERSION = '0.1.0'
