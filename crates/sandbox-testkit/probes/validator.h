// What the parts of the App Container validator share.
#ifndef VALIDATOR_H
#define VALIDATOR_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Takes note of a check that failed: its line is `==> ` and this.
__attribute__((format(printf, 1, 2))) void fail(const char *format, ...);

// Memory, or the end.
void *need(void *memory);

// JSON (RFC 8259) in a string. A value is a pointer to its first byte; none is NULL.
// The first byte after a value, or NULL where it is malformed.
const char *json_end(const char *value);
// The one value that a document is; NULL where there is none, or anything else as well.
const char *json_document(const char *text);
// An object's member, NULL where it is none or hasn't it. The value has to be well-formed.
const char *json_member(const char *object, const char *name);
// The first value of an array, and the one after a value of it.
const char *json_first(const char *array);
const char *json_next(const char *item);
// A string's text, NULL where it is none.
char *json_text(const char *string);

// GETs from the metadata service, or POSTs where there is a form, within 100 ms. The body of an answer
// that is 200 and of this media type (or of any, for NULL); else notes why and returns NULL.
char *ask(const char *entry, const char *form, const char *media_type);

// The checks of the metadata service.
void check_metadata(void);

#endif
