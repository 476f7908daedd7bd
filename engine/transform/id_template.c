#include <string.h>

#include "core/alloc.h"
#include "engine/transform/ids.h"

enum {
    FIRST_CHAR = 0x20, /* printable ASCII */
    LAST_CHAR = 0x7e,
    REPEAT_FREE = 8, /* repetitions where a regex sets no upper limit          */
    REPEAT_MAX = RFI_ID_POSITIONS_MAX,
    GROUP_DEPTH_MAX = 8,
    SURE_FACTOR = 16,   /* ids for each character seen, for a position to allow those only */
    LAYOUTS_MAX = 4096, /* layouts that are counted; a power of two                        */
    LAYOUT_SHARE = 16,  /* a layout speaks for the ids when it has this part of a length's */
    SPARE_EACH = 64,    /* texts wanted for each id ...                                    */
    SPARE_GAPS = 64,    /* ... and for each id and gap: the fewer gaps are kept, the wider  */
};

static const uint64_t size_max = UINT64_C(1) << 62;

/* ------------------------------------------------------------------ sets of characters */

typedef struct char_set {
    bool has[128];
} char_set;

static void add_range(char_set *set, int first, int last)
{
    for (int c = first; c <= last; c++)
        set->has[c] = true;
}

/* False when there is none, or no room. */
static bool append_position(rfi_id_template *t, const char_set *set)
{
    if (t->n_positions == RFI_ID_POSITIONS_MAX)
        return false;
    rfi_id_position *position = &t->positions[t->n_positions];
    position->n = 0;
    for (int c = FIRST_CHAR; c <= LAST_CHAR; c++)
        if (set->has[c])
            position->chars[position->n++] = (char)c;
    t->n_positions += position->n > 0;
    return position->n > 0;
}

static void append_char(rfi_id_template *t, char c)
{
    char_set set = {0};
    set.has[(int)c] = true;
    append_position(t, &set);
}

/* ------------------------------------------------------------------ a regex */

typedef struct parser {
    const char *at;
    rfi_id_template *t;
    int depth;
} parser;

static bool is_plain(char c)
{
    return c >= FIRST_CHAR && c <= LAST_CHAR;
}

/* What follows a backslash. */
static bool add_escape(char_set *set, char c)
{
    switch (c) {
    case 'd':
        add_range(set, '0', '9');
        return true;
    case 'w':
        add_range(set, '0', '9');
        add_range(set, 'A', 'Z');
        add_range(set, 'a', 'z');
        set->has['_'] = true;
        return true;
    case 's':
        set->has[' '] = true;
        return true;
    default:
        if (!is_plain(c) || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            return false;
        set->has[(int)c] = true;
        return true;
    }
}

/* One character or range of a class; p->at stands on it. */
static bool parse_class_part(parser *p, char_set *set)
{
    if (*p->at == '\\') {
        p->at++;
        return *p->at != '\0' && add_escape(set, *p->at++);
    }
    const char first = *p->at++;
    if (!is_plain(first))
        return false;
    if (p->at[0] == '-' && p->at[1] != ']' && p->at[1] != '\0') {
        const char last = p->at[1];
        if (!is_plain(last) || last == '\\' || last < first)
            return false;
        add_range(set, first, last);
        p->at += 2;
        return true;
    }
    set->has[(int)first] = true;
    return true;
}

static bool parse_class(parser *p, char_set *set)
{
    p->at++; /* [ */
    const bool negated = *p->at == '^';
    p->at += negated;
    do {
        if (*p->at == '\0' || !parse_class_part(p, set))
            return false;
    } while (*p->at != ']');
    p->at++;
    for (int c = FIRST_CHAR; negated && c <= LAST_CHAR; c++)
        set->has[c] = !set->has[c];
    return true;
}

static bool parse_number(parser *p, int *out)
{
    int value = 0;
    const char *first = p->at;
    for (; *p->at >= '0' && *p->at <= '9'; p->at++) {
        value = 10 * value + (*p->at - '0');
        if (value > REPEAT_MAX)
            return false;
    }
    *out = value;
    return p->at > first;
}

/* How often the part before is taken: 1 without a quantifier. */
static bool parse_repeat(parser *p, int *repeat)
{
    int low;
    *repeat = 1;
    switch (*p->at) {
    case '?':
        p->at++;
        return true;
    case '+':
    case '*':
        p->at++;
        *repeat = REPEAT_FREE;
        return true;
    case '{':
        p->at++;
        if (!parse_number(p, &low))
            return false;
        *repeat = low;
        if (*p->at == ',') {
            p->at++;
            if (*p->at == '}')
                *repeat = low > REPEAT_FREE ? low : REPEAT_FREE;
            else if (!parse_number(p, repeat) || *repeat < low)
                return false;
        }
        return *p->at++ == '}';
    default:
        return true;
    }
}

static bool repeat_positions(rfi_id_template *t, int first, int repeat)
{
    const int n = t->n_positions - first;
    if (repeat == 0) {
        t->n_positions = first;
        return true;
    }
    if (n * repeat > RFI_ID_POSITIONS_MAX - first)
        return false;
    for (int r = 1; r < repeat; r++)
        memcpy(&t->positions[first + r * n], &t->positions[first], (size_t)n * sizeof *t->positions);
    t->n_positions = first + repeat * n;
    return true;
}

static bool parse_sequence(parser *p);

static bool parse_group(parser *p)
{
    p->at++; /* ( */
    if (p->at[0] == '?' && p->at[1] == ':')
        p->at += 2;
    if (p->depth++ == GROUP_DEPTH_MAX || !parse_sequence(p) || *p->at != ')')
        return false;
    p->depth--;
    p->at++;
    return true;
}

static bool parse_part(parser *p)
{
    char_set set = {0};
    switch (*p->at) {
    case '(':
        return parse_group(p);
    case '[':
        return parse_class(p, &set) && append_position(p->t, &set);
    case '.':
        p->at++;
        return add_escape(&set, 'w') && append_position(p->t, &set);
    case '\\':
        p->at++;
        return *p->at != '\0' && add_escape(&set, *p->at++) && append_position(p->t, &set);
    case '|':
    case '^':
    case '$':
    case '?':
    case '*':
    case '+':
    case '{':
        return false;
    default:
        if (!is_plain(*p->at))
            return false;
        set.has[(int)*p->at++] = true;
        return append_position(p->t, &set);
    }
}

static bool parse_sequence(parser *p)
{
    while (*p->at != '\0' && *p->at != ')' && strcmp(p->at, "$") != 0) {
        const int first = p->t->n_positions;
        int repeat;
        if (!parse_part(p) || !parse_repeat(p, &repeat) || !repeat_positions(p->t, first, repeat))
            return false;
    }
    return true;
}

bool rfi_id_template_parse(rfi_id_template *out, const char *regex)
{
    memset(out, 0, sizeof *out);
    parser p = {.at = regex, .t = out};
    p.at += *p.at == '^';
    if (!parse_sequence(&p))
        return false;
    p.at += *p.at == '$';
    if (*p.at != '\0' || out->n_positions == 0)
        return false;
    rfi_id_template_count(out);
    return true;
}

/* ------------------------------------------------------------------ learning */

static bool is_template_text(const char *text, size_t length)
{
    if (length == 0 || length > RFI_ID_POSITIONS_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_plain(text[i]))
            return false;
    return true;
}

/* The ids that a template is learned from. */
typedef struct crowd {
    size_t length;
    uint64_t layout; /* 0: any */
    int64_t n_ids;   /* 0: none can be a template's */
} crowd;

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Where a text has which character that is neither letter nor digit, and how long it is: a hash (FNV-1a), never 0. */
static uint64_t layout_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)(is_alphanumeric(text[i]) ? 'x' : text[i])) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

static bool belongs(const crowd *c, const char *text, size_t length)
{
    return length == c->length && is_template_text(text, length) &&
           (c->layout == 0 || c->layout == layout_of(text, length));
}

static crowd commonest_length(const rf_dict *dict)
{
    int64_t counts[RFI_ID_POSITIONS_MAX + 1] = {0};
    size_t length, best = 0;
    for (int32_t i = 0; i < dict->n; i++) {
        const char *text = rf_dict_text(dict, i, &length);
        if (is_template_text(text, length))
            counts[length]++;
    }
    for (length = 1; length <= RFI_ID_POSITIONS_MAX; length++)
        if (counts[length] > 0 && counts[length] >= counts[best])
            best = length;
    return (crowd){.length = best, .n_ids = counts[best]};
}

/* Counts one id's layout, in a table that probes one slot after the other and is never quite full. */
static void count_layout(crowd *table, int32_t *n, const char *text, size_t length)
{
    const uint64_t layout = layout_of(text, length);
    uint64_t at = layout % LAYOUTS_MAX;
    while (table[at].n_ids > 0 && (table[at].layout != layout || table[at].length != length))
        at = (at + 1) % LAYOUTS_MAX;
    if (table[at].n_ids == 0) {
        if (*n == LAYOUTS_MAX / 2)
            return;
        (*n)++;
        table[at] = (crowd){.length = length, .layout = layout};
    }
    table[at].n_ids++;
}

/* Of the ids that share a layout the most, where those are not too few ("10.0.0.1" is learned from ids with their points
 * in the same places); else of the commonest length. */
static rf_code find_crowd(crowd *out, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    crowd *table = NULL, best = {0};
    int32_t n = 0;
    *out = commonest_length(dict);
    RF_TRY(RF_NEW_ARRAY(&table, LAYOUTS_MAX, "the ids of a column", err));
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        if (is_template_text(text, length))
            count_layout(table, &n, text, length);
    }
    for (int32_t i = 0; i < LAYOUTS_MAX; i++) {
        const crowd *c = &table[i];
        if (c->n_ids > best.n_ids || (c->n_ids == best.n_ids && c->length > best.length))
            best = *c;
    }
    if (best.n_ids > 1 && best.n_ids >= out->n_ids / LAYOUT_SHARE)
        *out = best;
out:
    rf_free(table);
    return rc;
}

static void collect_sets(char_set *sets, const rf_dict *dict, const crowd *c)
{
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        if (!belongs(c, text, length))
            continue;
        for (size_t j = 0; j < length; j++)
            sets[j].has[(int)text[j]] = true;
    }
}

static int count_chars(const char_set *set, int first, int last)
{
    int n = 0;
    for (int c = first; c <= last; c++)
        n += set->has[c];
    return n;
}

/* The letters seen where ids differ are all hexadecimal digits. */
static bool letters_are_hex(const char_set *sets, size_t length)
{
    int others = 0;
    for (size_t j = 0; j < length; j++)
        if (count_chars(&sets[j], FIRST_CHAR, LAST_CHAR) > 1)
            others += count_chars(&sets[j], 'g', 'z') + count_chars(&sets[j], 'G', 'Z');
    return others == 0;
}

/* A set that was seen only in part becomes the classes it has members of; a number's first digit does not
 * become 0. */
static void widen(char_set *set, bool hex, bool first_digit)
{
    const bool zero = set->has['0'];
    if (count_chars(set, '0', '9') > 0)
        add_range(set, '0', '9');
    if (first_digit)
        set->has['0'] = zero;
    if (count_chars(set, 'a', 'z') > 0)
        add_range(set, 'a', hex ? 'f' : 'z');
    if (count_chars(set, 'A', 'Z') > 0)
        add_range(set, 'A', hex ? 'F' : 'Z');
}

static bool is_digit_position(const char_set *set)
{
    const int all = count_chars(set, FIRST_CHAR, LAST_CHAR);
    return all > 0 && count_chars(set, '0', '9') == all;
}

/* The end of the digits that begin at position j. */
static size_t end_of_digits(const char_set *sets, size_t length, size_t j)
{
    while (j < length && is_digit_position(&sets[j]))
        j++;
    return j;
}

/* Leaves the digits first..end-1 no number above `largest`: the first digit that can be less is, and those before it are
 * its own. */
static void cap_digits(char_set *sets, size_t first, size_t end, const char *largest)
{
    for (size_t j = first; j < end; j++) {
        const int below = count_chars(&sets[j], '0', largest[j] - 1);
        for (int c = '0'; c <= '9'; c++)
            sets[j].has[c] = sets[j].has[c] && (below > 0 ? c < largest[j] : c == largest[j]);
        if (below > 0)
            return;
    }
}

/* Numbers of several digits stay below the largest that was seen: an address's parts below 256, a 64-bit number within
 * 64 bits. `seen` tells where they stand, `sets` is changed. */
static void cap_numbers(char_set *sets, const char_set *seen, const rf_dict *dict, const crowd *c)
{
    for (size_t first = 0, end; first < c->length; first = end + 1) {
        const char *largest = NULL;
        end = end_of_digits(seen, c->length, first);
        if (end - first < 2)
            continue;
        for (int32_t i = 0; i < dict->n; i++) {
            size_t length;
            const char *text = rf_dict_text(dict, i, &length);
            if (belongs(c, text, length) &&
                (!largest || memcmp(text + first, largest + first, end - first) > 0))
                largest = text;
        }
        cap_digits(sets, first, end, largest);
    }
}

/* The texts that are wanted for n ids, so that as many new ones lie in the gaps that are kept. */
static uint64_t wanted_size(uint64_t n)
{
    const uint64_t each = n * SPARE_EACH, gaps = n * n / SPARE_GAPS;
    return each > gaps ? each : gaps;
}

static bool is_number_position(const rfi_id_position *position)
{
    return position->chars[0] >= '0' && position->chars[position->n - 1] <= '9'; /* sorted */
}

/* Adds digits behind the longest number until there are enough texts; where there is no number, nothing. */
static void grow(rfi_id_template *t, uint64_t wanted)
{
    int32_t at = 0, longest = 0;
    for (int32_t first = 0, end; first < t->n_positions; first = end + 1) {
        for (end = first; end < t->n_positions && is_number_position(&t->positions[end]);)
            end++;
        if (end - first > longest) {
            longest = end - first;
            at = end;
        }
    }
    while (longest > 0 && t->size < wanted && t->n_positions < RFI_ID_POSITIONS_MAX) {
        rfi_id_position *position = &t->positions[at];
        memmove(position + 1, position, (size_t)(t->n_positions - at) * sizeof *position);
        *position = (rfi_id_position){.n = 10, .chars = "0123456789"};
        t->n_positions++;
        rfi_id_template_count(t);
    }
}

/* From what was seen of a crowd's ids at each position. `every`: any number, and also at positions that never vary. */
static void fill_template(rfi_id_template *out, const char_set *seen, const rf_dict *dict, const crowd *c,
                          bool every)
{
    char_set sets[RFI_ID_POSITIONS_MAX];
    const bool hex = !every && letters_are_hex(seen, c->length);
    memset(out, 0, sizeof *out);
    for (size_t j = 0; j < c->length; j++) {
        const int n = count_chars(&seen[j], FIRST_CHAR, LAST_CHAR);
        const bool first_digit = is_digit_position(&seen[j]) && (j == 0 || !is_digit_position(&seen[j - 1]));
        sets[j] = seen[j];
        if (every || (n > 1 && (int64_t)n * SURE_FACTOR > c->n_ids))
            widen(&sets[j], hex, first_digit);
    }
    if (!every)
        cap_numbers(sets, seen, dict, c);
    for (size_t j = 0; j < c->length; j++)
        append_position(out, &sets[j]);
    rfi_id_template_count(out);
}

/* False when the ids' own make had too few texts and was widened: by digits where there is a number. */
static bool learn_from(rfi_id_template *out, const rf_dict *dict, const crowd *c)
{
    char_set seen[RFI_ID_POSITIONS_MAX] = {0};
    const uint64_t wanted = wanted_size((uint64_t)dict->n);
    collect_sets(seen, dict, c);
    fill_template(out, seen, dict, c, c->n_ids < 2);
    if (out->size >= wanted)
        return true;
    grow(out, wanted);
    if (out->size < wanted)
        fill_template(out, seen, dict, c, true);
    return false;
}

rf_code rfi_id_template_learn(rfi_id_template *out, const rf_dict *dict, bool *roomy, rf_error *err)
{
    rf_code rc = RF_OK;
    crowd old = {0};
    RF_TRY(find_crowd(&old, dict, err));
    if (old.n_ids > 0) {
        *roomy = learn_from(out, dict, &old);
        goto out;
    }
    *roomy = true;
    memset(out, 0, sizeof *out);
    for (const char *c = "id-"; *c; c++)
        append_char(out, *c);
    char_set any = {0};
    add_range(&any, '0', '9');
    add_range(&any, 'a', 'z');
    for (int i = 0; i < 8; i++)
        append_position(out, &any);
    rfi_id_template_count(out);
out:
    return rc;
}

/* ------------------------------------------------------------------ texts and their numbers */

void rfi_id_template_count(rfi_id_template *t)
{
    t->size = 1;
    t->n_head = 0;
    for (; t->n_head < t->n_positions; t->n_head++) {
        const uint64_t n = (uint64_t)t->positions[t->n_head].n;
        if (t->size > size_max / n)
            break;
        t->size *= n;
    }
}

bool rfi_id_template_rank(const rfi_id_template *t, const char *text, size_t length, uint64_t *rank)
{
    if (length != (size_t)t->n_positions)
        return false;
    *rank = 0;
    for (int32_t i = 0; i < t->n_positions; i++) {
        const rfi_id_position *position = &t->positions[i];
        const char *at = memchr(position->chars, text[i], (size_t)position->n);
        if (!at)
            return false;
        if (i < t->n_head)
            *rank = *rank * (uint64_t)position->n + (uint64_t)(at - position->chars);
    }
    return true;
}

void rfi_id_template_write(const rfi_id_template *t, uint64_t rank, char *out)
{
    uint64_t left = rank;
    for (int32_t i = t->n_head - 1; i >= 0; i--) {
        const uint64_t n = (uint64_t)t->positions[i].n;
        out[i] = t->positions[i].chars[left % n];
        left /= n;
    }
    for (int32_t i = t->n_head; i < t->n_positions; i++) {
        const uint64_t n = (uint64_t)t->positions[i].n;
        out[i] = t->positions[i].chars[rfi_permute(rank % size_max, size_max, (uint64_t)i) % n];
    }
}
