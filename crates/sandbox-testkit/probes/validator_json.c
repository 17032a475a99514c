// As much of JSON as the validator asks about: whether a text is JSON, and what is where in it.
#include "validator.h"

#include <ctype.h>

#define MAX_DEPTH 64

static const char *value_end(const char *at, int depth);

static const char *space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

// The value of four hexadecimal digits, or -1.
static long hex4(const char *at)
{
    for (int digit = 0; digit < 4; digit++)
        if (!isxdigit((unsigned char)at[digit]))
            return -1;
    char digits[5] = {at[0], at[1], at[2], at[3], 0};
    return strtol(digits, NULL, 16);
}

// The character that an escape is, and moves past it; -1 where it is none. NUL is none here, nor is half
// of a pair.
static long escape(const char **at)
{
    static const char names[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    const char *name = **at ? strchr(names, **at) : NULL;
    if (name) {
        ++*at;
        return characters[name - names];
    }
    long high = **at == 'u' ? hex4(*at + 1) : -1;
    if (high <= 0 || (high >= 0xdc00 && high < 0xe000))
        return -1;
    *at += 5;
    if (high < 0xd800 || high >= 0xe000)
        return high;
    long low = (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2) : -1;
    if (low < 0xdc00 || low >= 0xe000)
        return -1;
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *put(char *to, long character)
{
    if (character < 0x80) {
        *to++ = (char)character;
        return to;
    }
    int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const int first[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(first[more] | character >> 6 * more);
    while (more--)
        *to++ = (char)(0x80 | (character >> 6 * more & 0x3f));
    return to;
}

// Reads a string into `to`, where there is one: text is never longer than its escapes.
static const char *string(const char *at, char *to)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        long character = (unsigned char)*at++;
        bool escaped = character == '\\';
        if (escaped && (character = escape(&at)) < 0)
            return NULL;
        if (to && escaped)
            to = put(to, character);
        else if (to)
            *to++ = (char)character;
    }
    if (to)
        *to = 0;
    return at + 1;
}

static const char *digits(const char *at)
{
    size_t count = strspn(at, "0123456789");
    return count ? at + count : NULL;
}

static const char *number(const char *at)
{
    at += *at == '-';
    at = *at == '0' ? at + 1 : digits(at);
    if (at && *at == '.')
        at = digits(at + 1);
    if (at && (*at == 'e' || *at == 'E')) {
        at++;
        at = digits(at + (*at == '+' || *at == '-'));
    }
    return at;
}

static const char *items(const char *at, char close, int depth)
{
    at = space(at + 1);
    if (*at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            at = string(at, NULL);
            if (!at || *(at = space(at)) != ':')
                return NULL;
            at = space(at + 1);
        }
        at = value_end(at, depth + 1);
        if (!at)
            return NULL;
        at = space(at);
        if (*at == close)
            return at + 1;
        if (*at != ',')
            return NULL;
        at = space(at + 1);
    }
}

static const char *value_end(const char *at, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    if (depth > MAX_DEPTH)
        return NULL;
    for (size_t word = 0; word < sizeof words / sizeof *words; word++)
        if (!strncmp(at, words[word], strlen(words[word])))
            return at + strlen(words[word]);
    switch (*at) {
    case '{':
        return items(at, '}', depth);
    case '[':
        return items(at, ']', depth);
    case '"':
        return string(at, NULL);
    default:
        return number(at);
    }
}

const char *json_end(const char *value)
{
    return value ? value_end(value, 0) : NULL;
}

const char *json_document(const char *text)
{
    const char *value = space(text), *end = json_end(value);
    return end && !*space(end) ? value : NULL;
}

char *json_text(const char *at)
{
    const char *end = at ? string(at, NULL) : NULL;
    if (!end)
        return NULL;
    char *text = need(malloc((size_t)(end - at)));
    string(at, text);
    return text;
}

const char *json_member(const char *object, const char *name)
{
    if (!object || *object != '{')
        return NULL;
    for (const char *at = space(object + 1); *at == '"'; at = json_next(at)) {
        char *key = json_text(at);
        at = space(space(string(at, NULL)) + 1);
        bool found = !strcmp(key, name);
        free(key);
        if (found)
            return at;
        if (!json_next(at))
            break;
    }
    return NULL;
}

const char *json_first(const char *array)
{
    if (!array || *array != '[')
        return NULL;
    const char *at = space(array + 1);
    return *at == ']' ? NULL : at;
}

const char *json_next(const char *item)
{
    const char *at = space(json_end(item));
    return *at == ',' ? space(at + 1) : NULL;
}
