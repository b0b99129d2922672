#include "server/throttle.h"

#include "base/alloc.h"

#include <pthread.h>
#include <sodium.h>

enum { SET_COUNT = 1024, SET_SIZE = 8 }; // 8,192 names; a name may only lie in its own set

struct entry {
    uint64_t name; // keyed hash; 0: free
    int64_t since_us;
    uint32_t failures;
};

struct ch_throttle {
    pthread_mutex_t mutex;
    uint32_t failures_max;
    int64_t window_us;
    unsigned char key[crypto_shorthash_KEYBYTES]; // random, so that nobody can aim at another's set
    struct entry sets[SET_COUNT][SET_SIZE];
};

enum charle_err ch_throttle_new(uint32_t failures_max, int64_t window_us, struct ch_throttle **out,
                                struct charle_error *err)
{
    struct ch_throttle *throttle = ch_alloc_zeroed(1, sizeof(*throttle));
    if (!throttle)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    pthread_mutex_init(&throttle->mutex, NULL);
    throttle->failures_max = failures_max;
    throttle->window_us = window_us;
    randombytes_buf(throttle->key, sizeof(throttle->key));
    *out = throttle;
    return CHARLE_OK;
}

void ch_throttle_free(struct ch_throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_destroy(&throttle->mutex);
    ch_free(throttle);
}

static uint64_t hash_name(const struct ch_throttle *throttle, struct charle_str name)
{
    uint64_t hash;
    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "a short hash is 64 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name.ptr, name.len, throttle->key);
    return hash ? hash : 1;
}

static struct entry *find(struct ch_throttle *throttle, uint64_t name)
{
    struct entry *set = throttle->sets[name % SET_COUNT];
    for (int i = 0; i < SET_SIZE; i++)
        if (set[i].name == name)
            return &set[i];
    return NULL;
}

static struct entry *claim(struct ch_throttle *throttle, uint64_t name, int64_t now_us)
{
    struct entry *set = throttle->sets[name % SET_COUNT], *oldest = set;
    for (int i = 1; i < SET_SIZE; i++)
        if (!set[i].name || (oldest->name && set[i].since_us < oldest->since_us))
            oldest = &set[i];
    *oldest = (struct entry){.name = name, .since_us = now_us};
    return oldest;
}

int64_t ch_throttle_wait_us(struct ch_throttle *throttle, struct charle_str name, int64_t now_us)
{
    uint64_t hash = hash_name(throttle, name);
    pthread_mutex_lock(&throttle->mutex);
    const struct entry *entry = find(throttle, hash);
    int64_t wait_us =
        entry && entry->failures >= throttle->failures_max ? entry->since_us + throttle->window_us - now_us : 0;
    pthread_mutex_unlock(&throttle->mutex);
    return wait_us > 0 ? wait_us : 0;
}

void ch_throttle_fail(struct ch_throttle *throttle, struct charle_str name, int64_t now_us)
{
    uint64_t hash = hash_name(throttle, name);
    pthread_mutex_lock(&throttle->mutex);
    struct entry *entry = find(throttle, hash);
    if (entry && now_us - entry->since_us >= throttle->window_us)
        *entry = (struct entry){.name = hash, .since_us = now_us};
    if (!entry)
        entry = claim(throttle, hash, now_us);
    entry->failures++;
    pthread_mutex_unlock(&throttle->mutex);
}

void ch_throttle_forgive(struct ch_throttle *throttle, struct charle_str name)
{
    uint64_t hash = hash_name(throttle, name);
    pthread_mutex_lock(&throttle->mutex);
    struct entry *entry = find(throttle, hash);
    if (entry)
        *entry = (struct entry){0};
    pthread_mutex_unlock(&throttle->mutex);
}
