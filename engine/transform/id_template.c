#include <string.h>

#include "engine/transform/ids.h"

enum {
    FIRST_CHAR = 0x20, /* printable ASCII */
    LAST_CHAR = 0x7e,
    REPEAT_FREE = 8, /* repetitions where a regex sets no upper limit          */
    REPEAT_MAX = RFI_ID_POSITIONS_MAX,
    GROUP_DEPTH_MAX = 8,
    SURE_FACTOR = 16, /* ids for each character seen, for a position to allow those only */
    SMALL_FACTOR = 4, /* a make with fewer texts than this for each id is widened        */
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

/* 0 when no id can be a template's. */
static size_t commonest_length(const rf_dict *dict, int64_t *n_ids)
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
    *n_ids = counts[best];
    return best;
}

static void collect_sets(char_set *sets, const rf_dict *dict, size_t wanted)
{
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        const char *text = rf_dict_text(dict, i, &length);
        if (length != wanted || !is_template_text(text, length))
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

/* `every`: also positions that never vary. */
static void fill_template(rfi_id_template *out, const char_set *sets, size_t length, int64_t n_ids,
                          bool every)
{
    const bool hex = !every && letters_are_hex(sets, length);
    memset(out, 0, sizeof *out);
    for (size_t j = 0; j < length; j++) {
        char_set set = sets[j];
        const int seen = count_chars(&set, FIRST_CHAR, LAST_CHAR);
        const bool first_digit = is_digit_position(&sets[j]) && (j == 0 || !is_digit_position(&sets[j - 1]));
        if (every || (seen > 1 && (int64_t)seen * SURE_FACTOR > n_ids))
            widen(&set, hex, first_digit);
        append_position(out, &set);
    }
    rfi_id_template_count(out);
}

void rfi_id_template_learn(rfi_id_template *out, const rf_dict *dict)
{
    char_set sets[RFI_ID_POSITIONS_MAX] = {0};
    int64_t n_ids;
    const size_t length = commonest_length(dict, &n_ids);
    if (length > 0) {
        collect_sets(sets, dict, length);
        fill_template(out, sets, length, n_ids, false);
        if (n_ids < 2 || out->size / SMALL_FACTOR < (uint64_t)n_ids)
            fill_template(out, sets, length, n_ids, true);
        return;
    }
    memset(out, 0, sizeof *out);
    for (const char *c = "id-"; *c; c++)
        append_char(out, *c);
    char_set any = {0};
    add_range(&any, '0', '9');
    add_range(&any, 'a', 'z');
    for (int i = 0; i < 8; i++)
        append_position(out, &any);
    rfi_id_template_count(out);
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
