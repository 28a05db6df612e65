/** What every `FileSystem` does. Both implementations run it: env/node and env/simulated. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from './file-system.js'

export interface FileSystemUnderTest {
  readonly files: FileSystem
  /** An empty folder. */
  readonly folder: string
  close(): Promise<void>
}

export function describeFileSystem(name: string, open: () => Promise<FileSystemUnderTest>): void {
  describe(`file system: ${name}`, () => {
    let files: FileSystem
    let folder: string
    let close: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      files = opened.files
      folder = opened.folder
      close = () => opened.close()
    })
    afterEach(() => close())

    const write = async (name: string, text: string) => {
      const file = await files.open(`${folder}/${name}`, 'append')
      await file.write(new TextEncoder().encode(text))
      await file.close()
    }
    const read = async (name: string) => {
      const file = await files.open(`${folder}/${name}`, 'read')
      const bytes = new Uint8Array(await file.size())
      expect(await file.read(bytes, 0)).toBe(bytes.length)
      await file.close()
      return new TextDecoder().decode(bytes)
    }

    it('writes go to the end, whatever was read in between', async () => {
      const file = await files.open(`${folder}/a`, 'create')
      await file.write(Uint8Array.of(1, 2, 3))
      const target = new Uint8Array(2)
      expect(await file.read(target, 0)).toBe(2)
      expect([...target]).toEqual([1, 2])
      await file.write(Uint8Array.of(4))
      await file.sync()
      expect(await file.size()).toBe(4)
      const all = new Uint8Array(9)
      expect(await file.read(all, 1)).toBe(3)
      expect([...all.subarray(0, 3)]).toEqual([2, 3, 4])
      expect(await file.read(all, 99)).toBe(0)
      await file.close()
      await write('a', 'x')
      expect((await files.stat(`${folder}/a`))?.sizeBytes).toBe(5)
    })

    it('a file whose writes sync takes them as another does', async () => {
      const file = await files.open(`${folder}/a`, 'append-synced')
      await file.write(new TextEncoder().encode('abcdef'))
      await file.truncate(2)
      await file.write(new TextEncoder().encode('Z'))
      if (!file.syncsWrites) await file.sync()
      await file.close()
      const again = await files.open(`${folder}/a`, 'append-synced')
      await again.write(new TextEncoder().encode('!'))
      await again.close()
      expect(await read('a')).toBe('abZ!')
      const plain = await files.open(`${folder}/a`, 'append')
      expect(plain.syncsWrites).toBe(false)
      await plain.close()
    })

    it('a buffer may be used again once its write has resolved', async () => {
      const file = await files.open(`${folder}/a`, 'create')
      const buffer = Uint8Array.of(65)
      await file.write(buffer)
      buffer[0] = 66
      await file.write(buffer)
      await file.close()
      expect(await read('a')).toBe('AB')
    })

    it('create refuses a name that is there, read one that is not', async () => {
      await write('a', 'x')
      await expect(files.open(`${folder}/a`, 'create')).rejects.toMatchObject({ name: 'FileError', code: 'EXISTS' })
      await expect(files.open(`${folder}/b`, 'read')).rejects.toMatchObject({ name: 'FileError', code: 'NOT_FOUND' })
      await expect(files.open(`${folder}/no/b`, 'create')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(files.remove(`${folder}/b`)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(files.list(`${folder}/no`)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    it('truncate shortens, and the next write follows', async () => {
      const file = await files.open(`${folder}/a`, 'append')
      await file.write(new TextEncoder().encode('abcdef'))
      await file.truncate(2)
      await file.write(new TextEncoder().encode('Z'))
      await file.close()
      expect(await read('a')).toBe('abZ')
    })

    it('rename replaces, and an open file goes on', async () => {
      await write('a', 'old')
      const file = await files.open(`${folder}/a`, 'read')
      await write('b', 'new')
      await files.rename(`${folder}/b`, `${folder}/a`)
      expect(await read('a')).toBe('new')
      const bytes = new Uint8Array(3)
      await file.read(bytes, 0)
      expect(new TextDecoder().decode(bytes)).toBe('old')
      await file.close()
      expect(await files.list(folder)).toEqual(['a'])
      await expect(files.rename(`${folder}/x`, `${folder}/y`)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    it('a link is a second name for the same bytes', async () => {
      await write('a', 'one')
      await files.link(`${folder}/a`, `${folder}/b`)
      await files.remove(`${folder}/a`)
      expect(await read('b')).toBe('one')
      await write('c', 'x')
      await expect(files.link(`${folder}/c`, `${folder}/b`)).rejects.toMatchObject({ code: 'EXISTS' })
    })

    it('folders are made with those above them, listed sorted, removed whole', async () => {
      await files.makeDirectory(`${folder}/x/y`)
      await files.makeDirectory(`${folder}/x/y`)
      await write('x/y/2', '')
      await write('x/y/10', '')
      expect(await files.list(`${folder}/x/y`)).toEqual(['10', '2'])
      expect(await files.list(`${folder}/x`)).toEqual(['y'])
      expect(await files.stat(`${folder}/x`)).toMatchObject({ isDirectory: true })
      await files.syncDirectory(`${folder}/x/y`)
      await files.rename(`${folder}/x`, `${folder}/z`)
      expect(await files.list(`${folder}/z/y`)).toEqual(['10', '2'])
      await files.removeTree(`${folder}/z`)
      await files.removeTree(`${folder}/z`)
      expect(await files.stat(`${folder}/z`)).toBeNull()
    })

    it('a lock is had by one at a time', async () => {
      const lock = await files.lock(`${folder}/LOCK`)
      await expect(files.lock(`${folder}/LOCK`)).rejects.toMatchObject({ name: 'FileError', code: 'LOCKED' })
      const other = await files.lock(`${folder}/OTHER`)
      await lock.release()
      const again = await files.lock(`${folder}/LOCK`)
      await again.release()
      await other.release()
    })

    it('free space is a number of bytes', async () => {
      expect(await files.freeBytes(folder)).toBeGreaterThan(0)
    })

    it('a watch tells of a change', async () => {
      let changed = () => {}
      const told = new Promise<void>((resolve) => {
        changed = resolve
      })
      const watch = files.watch(`${folder}/w`, () => changed())
      // The watch begins some time after the call, so the change is made until it is noticed.
      for (let done = false; !done; ) {
        await write('w', 'x')
        done = await Promise.race([told.then(() => true), new Promise<boolean>((r) => setTimeout(r, 20, false))])
      }
      watch.close()
    })
  })
}
