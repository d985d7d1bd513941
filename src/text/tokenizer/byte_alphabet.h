// GPT-2's byte alphabet: each of the 256 bytes written as one printable character.
// In: any bytes. Out: text of which each character stands for a byte ("Ġ" for a space), and back.
// Reference: bytes_to_unicode in GPT-2's encoder.py.
#pragma once

#include <string>
#include <string_view>

namespace galago {

/// The bytes written in the alphabet.
std::string to_byte_alphabet(std::string_view bytes);
/// The bytes that a token written in the alphabet stands for. A token with a character outside the alphabet
/// stands for its own UTF-8 bytes.
std::string from_byte_alphabet(std::string_view token);

}  // namespace galago
