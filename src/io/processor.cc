// See the header.
#include "io/processor.h"

#include <algorithm>
#include <cstring>

#include "galago/error.h"
#include "io/files.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace galago {
namespace {

std::string plain(std::string text) {
  std::erase_if(text, [](char c) {
    return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-');
  });
  return text;
}

#if defined(__x86_64__)

std::string model_of_processor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return "";
  char vendor[13] = {};
  std::memcpy(vendor, &b, 4);
  std::memcpy(vendor + 4, &d, 4);
  std::memcpy(vendor + 8, &c, 4);
  if (!__get_cpuid(1, &a, &b, &c, &d)) return "";
  unsigned family = a >> 8 & 15, model = a >> 4 & 15;
  if (family == 6 || family == 15) model |= a >> 12 & 0xf0;
  if (family == 15) family += a >> 20 & 255;
  return std::string(vendor) + "-" + std::to_string(family) + "-" + std::to_string(model) + "-" +
         std::to_string(a & 15);
}

#else

std::string model_of_processor() {
  try {
    const auto kind = read_if_present("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", 64);
    return kind ? "arm-" + *kind : "";
  } catch (const Error&) {  // a system without such a file
    return "";
  }
}

#endif

}  // namespace

std::string processor_model() {
  const std::string model = plain(model_of_processor());
  return model.empty() ? "unknown" : model;
}

}  // namespace galago
