#include "engine/transform/categories.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"

/* ------------------------------------------------------------------ dictionaries */

void rfi_texts_free(rf_dict *dict)
{
    rf_free(dict->offsets);
    rf_free(dict->bytes);
    memset(dict, 0, sizeof *dict);
}

rf_code rfi_dict_select(rf_dict *out, const rf_dict *from, const int32_t *codes, int32_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    size_t size_bytes = 0, length;
    for (int32_t i = 0; i < n; i++) {
        rf_dict_text(from, codes[i], &length);
        size_bytes += length;
    }
    RF_TRY(RF_NEW_ARRAY(&out->offsets, (size_t)n + 1, "the categories of a column", err));
    RF_TRY(RF_NEW_ARRAY(&out->bytes, size_bytes + 1, "the categories of a column", err));
    for (int32_t i = 0; i < n; i++) {
        const char *text = rf_dict_text(from, codes[i], &length);
        memcpy(out->bytes + out->offsets[i], text, length);
        out->offsets[i + 1] = out->offsets[i] + (int64_t)length;
    }
    out->n = n;
out:
    return rc;
}

int32_t rfi_dict_find(const rf_dict *dict, const char *text, size_t length)
{
    for (int32_t i = 0; i < dict->n; i++) {
        size_t own_length;
        const char *own = rf_dict_text(dict, i, &own_length);
        if (own_length == length && memcmp(own, text, length) == 0)
            return i;
    }
    return -1;
}

rf_code rfi_text_index_create(rfi_text_index *out, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    uint32_t n_slots = 16;
    while (n_slots < 2u * (uint32_t)dict->n)
        n_slots *= 2;
    *out = (rfi_text_index){.dict = dict, .mask = n_slots - 1};
    RF_TRY(RF_NEW_ARRAY(&out->slots, n_slots, "an index of categories", err));
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        uint32_t slot = (uint32_t)rf_hash_bytes(text, length) & out->mask;
        while (out->slots[slot] != 0)
            slot = (slot + 1) & out->mask;
        out->slots[slot] = i + 1;
    }
out:
    return rc;
}

void rfi_text_index_free(rfi_text_index *index)
{
    rf_free(index->slots);
    index->slots = NULL;
}

int32_t rfi_text_index_find(const rfi_text_index *index, const char *text, size_t length)
{
    uint32_t slot = (uint32_t)rf_hash_bytes(text, length) & index->mask;
    for (; index->slots[slot] != 0; slot = (slot + 1) & index->mask) {
        size_t own_length;
        const char *own = rf_dict_text(index->dict, index->slots[slot] - 1, &own_length);
        if (own_length == length && memcmp(own, text, length) == 0)
            return index->slots[slot] - 1;
    }
    return -1;
}

/* ------------------------------------------------------------------ learning */

typedef struct ranked {
    int64_t count;
    int32_t code;
} ranked;

static int by_count(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->code < y->code ? -1 : x->code > y->code;
}

static int by_code(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->code < y->code ? -1 : x->code > y->code;
}

static int32_t rank_codes(ranked *out, const int64_t *counts, int32_t n)
{
    int32_t found = 0;
    for (int32_t code = 0; code < n; code++)
        if (counts[code] > 0)
            out[found++] = (ranked){.count = counts[code], .code = code};
    return found;
}

/* How many of the rare texts (most frequent first) fit the limits. */
static int32_t count_rare(const rf_dict *dict, const ranked *rare, int32_t n)
{
    size_t size_bytes = 0, length;
    int32_t kept = 0;
    for (; kept < n && kept < RFI_RARE_MAX; kept++) {
        rf_dict_text(dict, rare[kept].code, &length);
        size_bytes += length;
        if (size_bytes > RFI_RARE_BYTES_MAX && kept > 0)
            break;
    }
    return kept;
}

/* Takes the texts of `chosen`, which it sorts by first appearance. */
static rf_code select_texts(rf_dict *out, const rf_dict *dict, ranked *chosen, int32_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    int32_t *codes = NULL;
    qsort(chosen, (size_t)n, sizeof *chosen, by_code);
    RF_TRY(RF_NEW_ARRAY(&codes, n, "the categories of a column", err));
    for (int32_t i = 0; i < n; i++)
        codes[i] = chosen[i].code;
    RF_TRY(rfi_dict_select(out, dict, codes, n, err));
out:
    rf_free(codes);
    return rc;
}

static rf_code learn_rare(rfi_categories *out, const rf_dict *dict, ranked *rare, int32_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t kept = count_rare(dict, rare, n);
    RF_TRY(select_texts(&out->rare, dict, rare, kept, err));
    RF_TRY(RF_NEW_ARRAY(&out->rare_until, kept, "the rare texts of a column", err));
    int64_t sum = 0;
    for (int32_t i = 0; i < kept; i++)
        out->rare_until[i] = sum += rare[i].count;
out:
    return rc;
}

rf_code rfi_categories_learn(rfi_categories *out, const rf_dict *dict, const int64_t *counts,
                             int64_t n_missing, int32_t max_categories, int64_t *n_hidden, rf_error *err)
{
    rf_code rc = RF_OK;
    ranked *order = NULL;
    RF_TRY(RF_NEW_ARRAY(&order, dict->n, "the categories of a column", err));
    const int32_t n = rank_codes(order, counts, dict->n);
    const int32_t modelled = n < max_categories ? n : max_categories;
    int64_t rare_count = 0;
    if (n > modelled)
        qsort(order, (size_t)n, sizeof *order, by_count);
    for (int32_t i = modelled; i < n; i++)
        rare_count += order[i].count;
    *n_hidden = n - modelled;

    out->n = modelled + (n > modelled) + (n_missing > 0);
    out->rare_code = n > modelled ? modelled : -1;
    RF_TRY(RF_NEW_ARRAY(&out->counts, out->n, "the categories of a column", err));
    RF_TRY(select_texts(&out->texts, dict, order, modelled, err));
    for (int32_t i = 0; i < modelled; i++)
        out->counts[i] = order[i].count;
    if (n > modelled) {
        out->counts[modelled] = rare_count;
        RF_TRY(learn_rare(out, dict, order + modelled, n - modelled, err));
    }
    if (n_missing > 0)
        out->counts[out->n - 1] = n_missing;
out:
    rf_free(order);
    return rc;
}

rf_code rfi_categories_learn_pair(rfi_categories *out, int64_t n_present, int64_t n_missing, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(RF_NEW_ARRAY(&out->counts, 2, "the categories of a column", err));
    out->n = 2;
    out->rare_code = -1;
    out->counts[0] = n_present;
    out->counts[1] = n_missing;
out:
    return rc;
}

void rfi_categories_free(rfi_categories *categories)
{
    rfi_texts_free(&categories->texts);
    rfi_texts_free(&categories->rare);
    rf_free(categories->counts);
    rf_free(categories->rare_until);
    memset(categories, 0, sizeof *categories);
}

int32_t rfi_categories_find_rare(const rfi_categories *categories, int64_t u)
{
    int32_t low = 0, high = categories->rare.n - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (categories->rare_until[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ------------------------------------------------------------------ binary form */

static void store_dict(const rf_dict *dict, rf_buf *out)
{
    rf_put_u32(out, (uint32_t)dict->n);
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        rf_put_string(out, text, length);
    }
}

void rfi_categories_store(const rfi_categories *categories, rf_buf *out)
{
    store_dict(&categories->texts, out);
    rf_put_u8(out, categories->rare_code >= 0);
    rf_put_u32(out, (uint32_t)categories->n);
    for (int32_t i = 0; i < categories->n; i++)
        rf_put_i64(out, categories->counts[i]);
    if (categories->rare_code < 0)
        return;
    store_dict(&categories->rare, out);
    for (int32_t i = 0; i < categories->rare.n; i++)
        rf_put_i64(out, categories->rare_until[i]);
}

static rf_code corrupt(rf_error *err, const char *what)
{
    return rf_fail(err, RF_CORRUPT, "the transform of this file is damaged: %s", what);
}

static bool all_distinct(const rfi_text_index *index, const rf_dict *dict)
{
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        if (rfi_text_index_find(index, text, length) != i)
            return false;
    }
    return true;
}

static rf_code load_dict(rf_dict *out, rf_reader *reader, uint32_t most, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_text_index index = {0};
    const uint32_t n = rf_get_count(reader, 4);
    if (reader->failed || n > most)
        return corrupt(err, "it has too many categories");
    const size_t room = rf_reader_left(reader);
    RF_TRY(RF_NEW_ARRAY(&out->offsets, (size_t)n + 1, "the categories of a column", err));
    rf_reader ahead = *reader;
    for (uint32_t i = 0; i < n; i++) {
        size_t length;
        rf_get_string(&ahead, &length);
        out->offsets[i + 1] = out->offsets[i] + (int64_t)length;
    }
    if (ahead.failed || (size_t)out->offsets[n] > room) {
        rc = corrupt(err, "a category is cut off");
        goto out;
    }
    RF_TRY(RF_NEW_ARRAY(&out->bytes, (size_t)out->offsets[n] + 1, "the categories of a column", err));
    for (uint32_t i = 0; i < n; i++) {
        size_t length;
        const char *text = rf_get_string(reader, &length);
        if (length > 0)
            memcpy(out->bytes + out->offsets[i], text, length);
        if (rf_utf8_find_invalid(out->bytes + out->offsets[i], length) >= 0) {
            rc = corrupt(err, "a category is not UTF-8");
            goto out;
        }
    }
    out->n = (int32_t)n;
    RF_TRY(rfi_text_index_create(&index, out, err));
    if (!all_distinct(&index, out))
        rc = corrupt(err, "two categories are equal");
out:
    rfi_text_index_free(&index);
    return rc;
}

static rf_code load_counts(int64_t *out, uint32_t n, bool rising, rf_reader *reader, rf_error *err)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        out[i] = rf_get_i64(reader);
        if (reader->failed || out[i] < (rising ? before + 1 : 0) || out[i] > INT64_C(1) << 53)
            return corrupt(err, "a count of a category cannot be");
        before = out[i];
    }
    return RF_OK;
}

rf_code rfi_categories_load(rfi_categories *out, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(load_dict(&out->texts, reader, RFI_CATEGORIES_MAX, err));
    const bool has_rare = rf_get_u8(reader) != 0;
    const uint32_t n = rf_get_count(reader, 8), least = (uint32_t)out->texts.n + has_rare;
    /* one more code says "missing"; a number that is one value or missing has no text for its value */
    if (reader->failed || n < 1 ||
        (n != least && n != least + 1 && !(out->texts.n == 0 && !has_rare && n == 2))) {
        rc = corrupt(err, "the codes of a column do not add up");
        goto out;
    }
    RF_TRY(RF_NEW_ARRAY(&out->counts, n, "the categories of a column", err));
    out->n = (int32_t)n;
    out->rare_code = has_rare ? out->texts.n : -1;
    RF_TRY(load_counts(out->counts, n, false, reader, err));
    if (!has_rare)
        goto out;
    RF_TRY(load_dict(&out->rare, reader, RFI_RARE_MAX, err));
    if (out->rare.n < 1 || rf_reader_left(reader) < 8 * (size_t)out->rare.n) {
        rc = corrupt(err, "its rare texts are missing");
        goto out;
    }
    RF_TRY(RF_NEW_ARRAY(&out->rare_until, out->rare.n, "the rare texts of a column", err));
    RF_TRY(load_counts(out->rare_until, (uint32_t)out->rare.n, true, reader, err));
out:
    return rc;
}
