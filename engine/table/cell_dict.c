#include "engine/table/cell_dict.h"

#include <stdatomic.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "engine/table/cell_number.h"

enum {
    FIRST_SLOTS = 32,
    FRONT_MAX = 512,
    FRONT_PER_SLOT = 4, /* room in front, so that few texts share a place */
    FRONT_PATIENCE = 64,
    FRONT_TRIALS = 32, /* factors, until no two texts share a place */
    REST_TEXTS = 4096, /* fewer texts are worth asking the front for */
    REST_TILES = 15,
    SHORT_TEXT = RFI_DICT_SHORT,
    TEXTS_MAX = INT32_MAX - 1,
};

/* A slot's code is stored with its top bit turned, so that zeroed memory means free. */
#define STORED(code) ((int32_t)((uint32_t)(code) ^ 0x80000000u))

/* ---- tokens -------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

int32_t rfi_tokens_find(const rfi_tokens *tokens, const char *text, size_t length)
{
    while (length && is_blank(*text)) {
        text++;
        length--;
    }
    while (length && is_blank(text[length - 1]))
        length--;
    if (length > tokens->longest)
        return -1;
    for (int32_t j = 0; j < tokens->n; j++)
        if (tokens->lengths[j] == length && memcmp(tokens->texts[j], text, length) == 0)
            return j;
    return -1;
}

/* ---- hashing ------------------------------------------------------------------------------- */

static uint64_t run_key(void)
{
    static _Atomic uint64_t key;
    uint64_t now = atomic_load_explicit(&key, memory_order_relaxed);
    if (now)
        return now;
    const uint64_t drawn = ((uint64_t)rf_clock_wall_us() ^ (uint64_t)(uintptr_t)&key << 20) | 1;
    return atomic_compare_exchange_strong(&key, &now, drawn) ? drawn : now;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, 8);
    return word;
}

static uint64_t hash_long(uint64_t key, const char *text, size_t length)
{
    uint64_t hash = key ^ length;
    size_t at = 0;
    for (; at + SHORT_TEXT < length; at += SHORT_TEXT)
        hash = fold(hash ^ load_word(text + at), 0xA0761D6478BD642Fu ^ load_word(text + at + 8));
    const char *tail = text + length - SHORT_TEXT;
    return fold(hash ^ load_word(tail), 0xE7037ED1A0B428DBu ^ load_word(tail + 8));
}

const unsigned char rfi_dict_mask[2 * RFI_DICT_SHORT] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255, 255, 255};

/* Up to 32 bytes in front of zeros. */
static void words_of(const char *text, size_t length, const char *limit, uint64_t words[4])
{
    memset(words, 0, 4 * sizeof *words);
    if (length > SHORT_TEXT || limit - text < RFI_DICT_SHORT)
        memcpy(words, text, length);
    else
        rfi_dict_load(words, text, length);
}

/* ---- the table ----------------------------------------------------------------------------- */

void rfi_dict_init(rfi_dict *dict, const rfi_tokens *tokens)
{
    *dict = (rfi_dict){.tokens = tokens};
}

void rfi_dict_free(rfi_dict *dict)
{
    rf_free(dict->offsets);
    rf_free(dict->bytes);
    rf_free(dict->quoted_tokens);
    rf_free(dict->slots);
    rf_free(dict->front);
    rfi_dict_init(dict, dict->tokens);
}

void rfi_dict_clear(rfi_dict *dict)
{
    dict->n = 0;
    dict->has_tokens = false;
    if (dict->slots) {
        memset(dict->slots, 0, ((size_t)dict->slot_mask + 1) * sizeof *dict->slots);
        memset(dict->front, 0, ((size_t)dict->front_mask + 1) * sizeof *dict->front);
    }
    rf_free(dict->quoted_tokens);
    dict->quoted_tokens = NULL;
}

rf_code rfi_dict_check(const rfi_dict *dict, const char *column, rf_error *err)
{
    if (dict->full)
        return rf_fail(err, RF_INPUT, "the column %s has more than %d distinct texts", column, TEXTS_MAX);
    if (dict->failed)
        return rf_fail(err, RF_NO_MEMORY, "not enough memory for the texts of the column %s", column);
    return RF_OK;
}

static void put_slot(rfi_dict_slot *slots, uint32_t mask, uint32_t tag, int32_t code)
{
    uint32_t at = tag & mask;
    while (slots[at].stored)
        at = (at + 1) & mask;
    slots[at] = (rfi_dict_slot){.tag = tag, .stored = STORED(code)};
}

/* ---- the front ----------------------------------------------------------------------------- */

rfi_dict_view rfi_dict_view_of(const rfi_dict *dict)
{
    static const rfi_dict_front nothing;
    if (!dict->front)
        return (rfi_dict_view){.front = &nothing};
    return (rfi_dict_view){.front = dict->front, .factor = dict->front_factor, .mask = dict->front_mask};
}

static void put_front(rfi_dict *dict, const uint64_t words[4], size_t length, int32_t code)
{
    rfi_dict_front *place = &dict->front[rfi_dict_front_at(rfi_dict_view_of(dict), words)];
    dict->n_evicted += place->length != 0;
    memcpy(place->words, words, sizeof place->words);
    place->code = code;
    place->length = (uint32_t)length;
}

static bool fits_front(const rfi_dict *dict, const char *text, size_t length)
{
    return length - 1 < RFI_DICT_FRONT && !memchr(text, '"', length) &&
           rfi_tokens_find(dict->tokens, text, length) < 0;
}

static void fill_front(rfi_dict *dict, uint64_t factor)
{
    const char *limit = dict->bytes + dict->offsets[dict->n];
    dict->front_factor = factor;
    dict->n_evicted = 0;
    memset(dict->front, 0, ((size_t)dict->front_mask + 1) * sizeof *dict->front);
    for (int32_t code = 0; code < dict->n; code++) {
        const char *text = dict->bytes + dict->offsets[code];
        const size_t length = (size_t)(dict->offsets[code + 1] - dict->offsets[code]);
        uint64_t words[4];
        if (!fits_front(dict, text, length))
            continue;
        words_of(text, length, limit, words);
        put_front(dict, words, length, code);
    }
}

/* Two texts that share a place push each other out at every turn. When that has happened often, a factor is looked for that
 * keeps all apart, or most of them. Long searches and large dictionaries are left alone. */
static void settle_front(rfi_dict *dict)
{
    if (dict->n_evicted < dict->patience || dict->n == 0 || dict->n > FRONT_MAX / FRONT_PER_SLOT)
        return;
    uint64_t best = dict->front_factor, factor = best;
    int32_t fewest = INT32_MAX;
    for (int trial = 0; trial < FRONT_TRIALS && fewest; trial++) {
        factor = factor * 0xD1342543DE82EF95u + 0x9E3779B97F4A7C16u;
        fill_front(dict, factor | 1);
        if (dict->n_evicted < fewest) {
            fewest = dict->n_evicted;
            best = factor | 1;
        }
    }
    if (fewest)
        fill_front(dict, best);
    dict->n_evicted = 0;
    dict->patience = dict->patience < INT32_MAX / 4 ? dict->patience * 4 : INT32_MAX;
}

/* Twice the slots, and a front to match; what was in front comes back by itself. */
static bool grow(rfi_dict *dict)
{
    const size_t n_old = dict->slots ? (size_t)dict->slot_mask + 1 : 0;
    const size_t n_slots = n_old ? n_old * 2 : FIRST_SLOTS;
    const size_t n_front = n_slots < FRONT_MAX / FRONT_PER_SLOT ? n_slots * FRONT_PER_SLOT : FRONT_MAX;
    rfi_dict_slot *slots = rf_malloc_long(n_slots * sizeof *slots);
    rfi_dict_front *front = NULL;
    if (!slots || RF_NEW_ARRAY(&front, n_front, "a dictionary", NULL) != RF_OK) {
        rf_free(slots);
        return false;
    }
    memset(slots, 0, n_slots * sizeof *slots);
    for (size_t i = 0; i < n_old; i++)
        if (dict->slots[i].stored)
            put_slot(slots, (uint32_t)(n_slots - 1), dict->slots[i].tag, STORED(dict->slots[i].stored));
    rf_free(dict->slots);
    rf_free(dict->front);
    dict->slots = slots;
    dict->front = front;
    dict->slot_mask = (uint32_t)(n_slots - 1);
    dict->front_mask = (uint32_t)(n_front - 1);
    dict->n_evicted = 0;
    if (!dict->front_factor)
        dict->front_factor = 0x9E3779B97F4A7C15u;
    if (!dict->patience)
        dict->patience = FRONT_PATIENCE;
    return true;
}

/* ---- texts --------------------------------------------------------------------------------- */

/* Room for one more text; false, and the dictionary is failed for good, without memory. */
static bool make_room(rfi_dict *dict, size_t used, size_t length)
{
    void *offsets = dict->offsets, *bytes = dict->bytes;
    dict->full |= dict->n >= TEXTS_MAX;
    dict->failed |= dict->full;
    if (!dict->failed)
        dict->failed = rf_grow_array(&offsets, &dict->offsets_capacity, (size_t)dict->n + 2,
                                     sizeof *dict->offsets, "", NULL) != RF_OK;
    dict->offsets = offsets;
    if (!dict->failed)
        dict->failed = rf_grow_array(&bytes, &dict->bytes_capacity, used + length, 1, "", NULL) != RF_OK;
    dict->bytes = bytes;
    return !dict->failed;
}

/* Keeps the text under the next code; gives RFI_CODE_EMPTY without memory. */
static int32_t keep(rfi_dict *dict, const char *text, size_t length)
{
    const size_t used = dict->n ? (size_t)dict->offsets[dict->n] : 0;
    const bool fits = (size_t)dict->n + 2 <= dict->offsets_capacity && used + length <= dict->bytes_capacity;
    if ((!fits || dict->failed || dict->n >= TEXTS_MAX) && !make_room(dict, used, length))
        return RFI_CODE_EMPTY;
    if (length)
        memcpy(dict->bytes + used, text, length);
    dict->offsets[dict->n] = (int64_t)used;
    dict->offsets[dict->n + 1] = (int64_t)(used + length);
    return dict->n++;
}

static bool has_text(const rfi_dict *dict, int32_t code, const char *text, size_t length)
{
    const size_t begin = (size_t)dict->offsets[code], end = (size_t)dict->offsets[code + 1];
    return end - begin == length && memcmp(dict->bytes + begin, text, length) == 0;
}

static inline uint32_t tag_of(const rfi_dict_text *in)
{
    return (uint32_t)(in->hash >> 32);
}

/* The code in the slots, or RFI_CODE_EMPTY. */
static int32_t find_slot(const rfi_dict *dict, uint32_t tag, const char *text, size_t length)
{
    for (uint32_t at = tag & dict->slot_mask; dict->slots[at].stored; at = (at + 1) & dict->slot_mask)
        if (dict->slots[at].tag == tag && has_text(dict, STORED(dict->slots[at].stored), text, length))
            return STORED(dict->slots[at].stored);
    return RFI_CODE_EMPTY;
}

/* A token that stood in quotes: kept like a text, but outside the slots. */
static int32_t quoted_token(rfi_dict *dict, int32_t token, const char *text, size_t length)
{
    if (!dict->quoted_tokens &&
        RF_NEW_ARRAY(&dict->quoted_tokens, dict->tokens->n, "a dictionary", NULL) != RF_OK) {
        dict->failed = true;
        return RFI_CODE_EMPTY;
    }
    if (!dict->quoted_tokens[token])
        dict->quoted_tokens[token] = keep(dict, text, length) + 1;
    return dict->quoted_tokens[token] - 1;
}

/* A text that the front did not know. */
static int32_t find_or_keep(rfi_dict *dict, const rfi_dict_text *in)
{
    const char *const text = in->text;
    const size_t length = in->length;
    const uint32_t tag = tag_of(in);
    if (in->likely >= 0 && has_text(dict, in->likely, text, length))
        return in->likely;
    int32_t code = find_slot(dict, tag, text, length);
    if (code >= 0)
        return code;
    const int32_t token = rfi_tokens_find(dict->tokens, text, length);
    if (token >= 0 && in->quoted)
        return quoted_token(dict, token, text, length);
    if (token >= 0) {
        dict->has_tokens = true;
        return RFI_CODE_TOKEN(token);
    }
    if ((uint64_t)dict->n * 4 >= (uint64_t)dict->slot_mask * 3 && !grow(dict))
        dict->failed = true;
    code = keep(dict, text, length);
    if (code >= 0)
        put_slot(dict->slots, dict->slot_mask, tag, code);
    return code;
}

static bool ready(rfi_dict *dict)
{
    if (!dict->slots && !dict->failed) {
        dict->key = run_key();
        dict->failed = !grow(dict);
    }
    return !dict->failed;
}

/* The code of a text that the front may hold, or already holds. */
static int32_t front_code(rfi_dict *dict, const rfi_dict_text *in)
{
    uint64_t words[4];
    words_of(in->text, in->length, in->limit, words);
    const rfi_dict_front *front = &dict->front[rfi_dict_front_at(rfi_dict_view_of(dict), words)];
    if (memcmp(front->words, words, sizeof words) == 0 && front->length == in->length &&
        (front->code >= 0 || !in->quoted))
        return front->code;
    const int32_t code = find_or_keep(dict, in);
    const bool plain = !in->quoted || rfi_tokens_find(dict->tokens, in->text, in->length) < 0;
    if (plain && !dict->failed && !memchr(in->text, '"', in->length)) {
        put_front(dict, words, in->length, code);
        settle_front(dict);
    }
    return code;
}

/* ---- texts together ------------------------------------------------------------------------ */

static void fetch_slot(const rfi_dict *dict, rfi_dict_text *in)
{
    uint64_t words[4];
    if (in->length > SHORT_TEXT) {
        in->hash = hash_long(dict->key, in->text, in->length);
    } else {
        words_of(in->text, in->length, in->limit, words);
        in->hash = fold(words[0] ^ dict->key, words[1] ^ 0x9E3779B97F4A7C15u);
    }
    __builtin_prefetch(&dict->slots[tag_of(in) & dict->slot_mask]);
}

static void fetch_offset(const rfi_dict *dict, rfi_dict_text *in)
{
    const uint32_t tag = tag_of(in);
    uint32_t at = tag & dict->slot_mask;
    while (dict->slots[at].stored && dict->slots[at].tag != tag)
        at = (at + 1) & dict->slot_mask;
    in->likely = dict->slots[at].stored ? STORED(dict->slots[at].stored) : -1;
    if (in->likely >= 0)
        __builtin_prefetch(&dict->offsets[in->likely]);
}

static void fetch_bytes(const rfi_dict *dict, const rfi_dict_text *in)
{
    enum { LINE = 64 };
    if (in->likely < 0)
        return;
    const char *bytes = dict->bytes + dict->offsets[in->likely];
    __builtin_prefetch(bytes);
    if (in->length > LINE / 2)
        __builtin_prefetch(bytes + LINE);
}

/* What a text finds likely stays right: texts keep their codes, whatever the texts before it add. */
void rfi_dict_code_texts(rfi_dict *dict, rfi_dict_text *texts, int n)
{
    if (!ready(dict)) {
        for (int i = 0; i < n; i++)
            texts[i].code = RFI_CODE_EMPTY;
        return;
    }
    for (int i = 0; i < n; i++)
        fetch_slot(dict, &texts[i]);
    for (int i = 0; i < n; i++)
        fetch_offset(dict, &texts[i]);
    for (int i = 0; i < n; i++)
        fetch_bytes(dict, &texts[i]);
    for (int i = 0; i < n; i++)
        texts[i].code = dict->front_rests || texts[i].length > RFI_DICT_FRONT ? find_or_keep(dict, &texts[i])
                                                                              : front_code(dict, &texts[i]);
}

void rfi_dict_note_front(rfi_dict *dict, int64_t n_unknown, int64_t n)
{
    if (dict->n > REST_TEXTS && n_unknown > n - n / 4)
        dict->front_rests = REST_TILES;
}

bool rfi_dict_front_rests(rfi_dict *dict)
{
    if (!dict->front_rests)
        return false;
    dict->front_rests--;
    return true;
}

/* ---- whole dictionaries -------------------------------------------------------------------- */

void rfi_dict_merge(rfi_dict *dict, const rfi_dict *from, int32_t first, int32_t *map)
{
    const char *limit = from->n ? from->bytes + from->offsets[from->n] : NULL;
    for (int32_t code = first; code < from->n; code += RFI_DICT_BATCH) {
        rfi_dict_text texts[RFI_DICT_BATCH];
        const int n = from->n - code < RFI_DICT_BATCH ? from->n - code : RFI_DICT_BATCH;
        for (int i = 0; i < n; i++)
            texts[i] =
                (rfi_dict_text){.text = from->bytes + from->offsets[code + i],
                                .limit = limit,
                                .length = (size_t)(from->offsets[code + i + 1] - from->offsets[code + i]),
                                .quoted = true};
        rfi_dict_code_texts(dict, texts, n);
        for (int i = 0; i < n; i++)
            map[code + i] = texts[i].code;
    }
    dict->has_tokens |= from->has_tokens;
    dict->failed |= from->failed;
    dict->full |= from->full;
}

rf_code rfi_dict_finish(rfi_dict *dict, rf_dict *out, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_dict){0};
    if (!dict->offsets)
        RF_TRY(RF_NEW_ARRAY(&dict->offsets, 1, "a dictionary", err));
    const size_t n_bytes = dict->n ? (size_t)dict->offsets[dict->n] : 0;
    int64_t *offsets = rf_realloc(dict->offsets, ((size_t)dict->n + 1) * sizeof *offsets);
    if (!offsets)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "not enough memory for a dictionary"));
    dict->offsets = offsets;
    char *bytes = rf_realloc(dict->bytes, n_bytes);
    if (!bytes)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "not enough memory for a dictionary"));
    *out = (rf_dict){.n = dict->n, .offsets = offsets, .bytes = bytes};
    dict->offsets = NULL;
    dict->bytes = NULL;
    rfi_dict_free(dict);
out:
    return rc;
}
