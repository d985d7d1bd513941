// Integer arithmetic on sizes that come from files and users: overflow is an answer, not undefined behaviour.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace galago {

/// a * b, or nothing when it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_mul(T a, T b) noexcept {
  T out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// a + b, or nothing when it does not fit.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) noexcept {
  T out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

}  // namespace galago
