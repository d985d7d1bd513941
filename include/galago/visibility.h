// What a shared library shows. In: nothing. GALAGO_API marks what it exports, GALAGO_LOCAL what stays inside
// although it is a part of an exported class.
#pragma once

#if defined(__GNUC__)
#define GALAGO_API __attribute__((visibility("default")))
#define GALAGO_LOCAL __attribute__((visibility("hidden")))
#else
#define GALAGO_API
#define GALAGO_LOCAL
#endif
