// SQLite files whose every byte of content is encrypted and authenticated: a VFS of SQLite's over another one.
//
// Nothing above SQLite notices: a connection that is opened with the name of this VFS reads and writes pages as always.
// What is on the disk:
//
//   the file      page n at n - 1 pages: content, then 24 bytes of nonce and 16 of tag in the page's reserved bytes.
//                 The first 16 bytes of page 1 are in clear ("CharleC1" and the name of the key), so that an encrypted
//                 file can be told from a plain one and from one of another key; SQLite is shown its own mark there.
//   the log       (-wal) a sealed header, then for each frame a sealed head and a sealed page: log frames carry
//                 checksums of the plain content, which would say something about it.
//   the index     (-shm) as SQLite writes it: page numbers, and one checksum of the log as a whole. No content.
//   temporary     sealed blocks of 4 KiB under a key that lives as long as the file handle.
//   journals      (-journal) only in memory; only making a file needs one (see ch_cipher_drop_unfinished).
//
// Seal: XChaCha20-Poly1305. The nonce is 16 random bytes of the file handle and a counter, so none comes twice. Bound
// to it, without being stored: the kind of the unit, its number, and for a page of the log the head before it. So a
// page that was moved, or is left over from an older log, does not open.
//
// A unit that does not open is SQLITE_IOERR_DATA, which ch_sqlite_fail turns into DATA_LOSS with the unit's name; there
// are two exceptions. Page 1 is read once before the log is known; if a power cut tore it during a checkpoint, the log
// has it whole, so only the constants of a header are shown for that first read. And a log is allowed to end in the
// middle of what was not synced: while SQLite recovers a log, a frame that does not open ends it, unless a later frame
// says that this one had been synced; then it is damage. What nobody can see is a missing end: a file, a page or a
// log that was put back to an older content of its own.
//
// The log's frames must not be split or padded, so the VFS promises POWERSAFE_OVERWRITE as SQLite's own does.
#ifndef CHARLE_DB_SQLITE_CIPHER_H
#define CHARLE_DB_SQLITE_CIPHER_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CH_CIPHER_KEY_SIZE = 32,
    CH_CIPHER_NAME_SIZE = 8,   // of a key: enough to tell keys apart, says nothing about them
    CH_CIPHER_MARK_SIZE = 16,  // what an encrypted file begins with
    CH_CIPHER_SEAL_SIZE = 40,  // nonce and tag
};

struct ch_cipher;

// Registers a VFS for one key over `parent` (NULL: the default one). Files made with it have pages of page_size. The key
// is copied into locked memory. Thread-safe.
CHARLE_MUST_CHECK enum charle_err ch_cipher_open(const uint8_t key[CH_CIPHER_KEY_SIZE], const char *parent,
                                                 uint32_t page_size, struct ch_cipher **out, struct charle_error *err);
// All connections must be closed. The key's memory is wiped. NULL is fine.
void ch_cipher_close(struct ch_cipher *cipher);

// The name to open connections with; lives as long as the cipher. NULL gives NULL.
const char *ch_cipher_vfs(const struct ch_cipher *cipher);

// For taking what is left out of a damaged file, which nobody else may have open: from now on a damaged frame ends the log
// instead of making all of it useless. ch_cipher_was_forgiving: that happened, and ch_cipher_damage says where.
void ch_cipher_forgive(struct ch_cipher *cipher);
bool ch_cipher_was_forgiving(const struct ch_cipher *cipher); // NULL: no

// What files under this key begin with.
void ch_cipher_mark(const uint8_t key[CH_CIPHER_KEY_SIZE], uint8_t out[CH_CIPHER_MARK_SIZE]);
bool ch_cipher_is_mark(const uint8_t bytes[CH_CIPHER_MARK_SIZE]); // of any key
bool ch_cipher_has_mark(const struct ch_cipher *cipher, const uint8_t bytes[CH_CIPHER_MARK_SIZE]); // of its own key

// For a new database, before its first table: sets the size of its pages and makes room for the seals in them. Nothing
// on other VFSs and on databases that exist. Returns a code of SQLite's.
int ch_cipher_prepare(sqlite3 *handle);

// Empties a file that a power cut caught while its first page was being made, which is the only time that no log and no
// journal could mend it: one page at most, which does not open, and nothing in the log. Call it under a lock, before
// the file is opened. Nothing on other VFSs (a name that is not a cipher's) and on all other files.
CHARLE_MUST_CHECK enum charle_err ch_cipher_drop_unfinished(const char *vfs, const char *file,
                                                            struct charle_error *err);

// What did not open last, in words ("page 17 of the file"); false when nothing is known or on other VFSs.
bool ch_cipher_damage(sqlite3 *handle, char *out, size_t size);

#endif
