#include "http_cases.h"

namespace galago::http::test {
namespace {

const std::string kHost = "Host: x\r\n";

std::string text(const char* bytes, size_t size) { return {bytes, size}; }
// A request line alone, then what every request has.
std::string line(const std::string& request_line) { return request_line + "\r\n" + kHost + "\r\n"; }
// A GET with these lines, each with its own end.
std::string with(const std::string& lines) { return "GET / HTTP/1.1\r\n" + kHost + lines + "\r\n"; }
// A POST with these lines and what follows the head.
std::string post(const std::string& lines, const std::string& rest = "") {
  return "POST /p HTTP/1.1\r\n" + kHost + lines + "\r\n" + rest;
}
std::string chunked(const std::string& rest) { return post("Transfer-Encoding: chunked\r\n", rest); }
std::string counted(const std::string& count, const std::string& rest = "") {
  return post("Content-Length: " + count + "\r\n", rest);
}
std::string repeat(size_t count, const std::string& part) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += part;
  return all;
}

const std::string kGood = line("GET / HTTP/1.1");

std::vector<Case> request_lines() {
  return {
      {"plain", kGood, {200}, true},
      {"blank line before", "\r\n" + kGood, {200}, true},
      {"four blank lines before", repeat(4, "\r\n") + kGood, {200}, true},
      {"five blank lines before", repeat(5, "\r\n"), {400}},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", {200}},
      {"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {200}, true},
      {"HTTP/0.9", "GET /\r\n", {400}},
      {"HTTP/0.9 with a blank behind", "GET / \r\n", {400}},
      {"HTTP/1.2", line("GET / HTTP/1.2"), {505}},
      {"HTTP/2.0", line("GET / HTTP/2.0"), {505}},
      {"HTTP/3.0", line("GET / HTTP/3.0"), {505}},
      {"HTTP/0.9 written out", line("GET / HTTP/0.9"), {505}},
      {"HTTP/11", line("GET / HTTP/11"), {400}},
      {"HTTP/1.10", line("GET / HTTP/1.10"), {400}},
      {"HTTP/1,1", line("GET / HTTP/1,1"), {400}},
      {"HTTP/1.", line("GET / HTTP/1."), {400}},
      {"HTTP/+1.1", line("GET / HTTP/+1.1"), {400}},
      {"http in small letters", line("GET / http/1.1"), {400}},
      {"version behind a blank", line("GET / HTTP/1.1 "), {400}},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}},
      {"TLS hello", text("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), {400}},
      {"SSLv2 hello", text("\x80\x2e\x01\x03\x01", 5), {400}},
      {"SSH", "\"SSH-2.0-OpenSSH_9.2\r\n", {400}},
      {"SOCKS", text("\x05\x01\x00", 3), {400}},
      {"PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", {400}},
      {"blank before the method", " GET / HTTP/1.1\r\n", {400}},
      {"tab for a blank", "GET\t/\tHTTP/1.1\r\n", {400}},
      {"two blanks behind the method", line("GET  / HTTP/1.1"), {400}},
      {"two blanks behind the target", line("GET /  HTTP/1.1"), {400}},
      {"blank in the target", line("GET /a b HTTP/1.1"), {400}},
      {"method alone", "GET\r\n", {400}},
      {"unknown method", line("BREW / HTTP/1.1"), {200}, true},
      {"method in small letters", line("get / HTTP/1.1"), {200}, true},
      {"method that is no token", line("G(T / HTTP/1.1"), {400}},
      {"method with a colon", line("GET: / HTTP/1.1"), {400}},
      {"method of 32 letters", line(repeat(32, "M") + " / HTTP/1.1"), {200}, true},
      {"method of 33 letters", line(repeat(33, "M") + " / HTTP/1.1"), {400}},
      {"method without an end", repeat(400, "M"), {414}},
      {"method not in ASCII", "G\xc3\x89T / HTTP/1.1\r\n", {400}},
      {"target of 128 bytes", line("GET /" + repeat(127, "a") + " HTTP/1.1"), {200}, true},
      {"target of 129 bytes", line("GET /" + repeat(128, "a") + " HTTP/1.1"), {414}},
      {"target without an end", "GET /" + repeat(100'000, "a"), {414}},
      {"target without a slash", line("GET a HTTP/1.1"), {400}},
      {"target not in ASCII", line("GET /\xc3\xa9 HTTP/1.1"), {400}},
      {"target with a fragment", line("GET /a#b HTTP/1.1"), {400}},
      {"target with NUL", "GET /" + text("\0", 1), {400}},
      {"target with an escape", line("GET /%41%2f HTTP/1.1"), {200}, true},
      {"target with half an escape", line("GET /%4 HTTP/1.1"), {400}},
      {"target with an escape of no number", line("GET /%zz HTTP/1.1"), {400}},
      {"target with an escaped NUL", line("GET /%00 HTTP/1.1"), {400}},
      {"target with an escaped line end", line("GET /%0d%0a HTTP/1.1"), {400}},
      {"query with anything", line("GET /?%zz=&? HTTP/1.1"), {200}, true},
      {"absolute form", line("GET http://x/a HTTP/1.1"), {200}, true},
      {"absolute form without a path", line("GET http://x?a HTTP/1.1"), {200}, true},
      {"absolute form without a host", line("GET http:///a HTTP/1.1"), {400}},
      {"absolute form with a user", line("GET http://u@x/ HTTP/1.1"), {400}},
      {"absolute form of another scheme", line("GET file:///etc/passwd HTTP/1.1"), {400}},
      {"asterisk form", line("OPTIONS * HTTP/1.1"), {200}, true},
      {"asterisk form of a GET", line("GET * HTTP/1.1"), {400}},
      {"authority form", line("CONNECT x:80 HTTP/1.1"), {200}, true},
      {"authority form with a path", line("CONNECT /a HTTP/1.1"), {400}},
      {"control character at once", "GET / HTTP/1.1\r\nHost: x\x01", {400}},
  };
}

std::vector<Case> headers() {
  return {
      {"bare line feed behind the request line", "GET / HTTP/1.1\n", {400}},
      {"bare line feeds alone", "GET / HTTP/1.1\nHost: x\n\n", {400}},
      {"bare line feed behind a header", "GET / HTTP/1.1\r\nHost: x\n\r\n", {400}},
      {"bare line feed for the blank line", "GET / HTTP/1.1\r\nHost: x\r\n\n", {400}},
      {"bare carriage return in a header", with("A: b\rc\r\n"), {400}},
      {"bare carriage return in the request line", line("GET /\rx HTTP/1.1"), {400}},
      {"two carriage returns", "GET / HTTP/1.1\r\r\n", {400}},
      {"NUL in a value", with("A: " + text("b\0c", 3) + "\r\n"), {400}},
      {"NUL in a name", with(text("A\0", 2) + ": b\r\n"), {400}},
      {"DEL in a value", with("A: b\x7f\r\n"), {400}},
      {"tab in a value", with("A: b\tc\r\n"), {200}, true},
      {"value not in ASCII", with("A: \xc3\xa9\xff\r\n"), {200}, true},
      {"empty value", with("A:\r\n"), {200}, true},
      {"blanks around a value", with("A: \t b \t \r\n"), {200}, true},
      {"folded by a blank", with("A: b\r\n c\r\n"), {400}},
      {"folded by a tab", with("A: b\r\n\tc\r\n"), {400}},
      {"folded before the first", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", {400}},
      {"blank line of blanks", with(" \r\n"), {400}},
      {"blank before the colon", with("A : b\r\n"), {400}},
      {"tab before the colon", with("A\t: b\r\n"), {400}},
      {"blank before the colon of a length", post("Content-Length : 5\r\n", "hello"), {400}},
      {"no colon", with("A\r\n"), {400}},
      {"no name", with(": b\r\n"), {400}},
      {"name that is no token", with("A(b): c\r\n"), {400}},
      {"name not in ASCII", with("\xc3\x84: c\r\n"), {400}},
      {"ten headers", with(repeat(9, "A: b\r\n")), {200}, true},
      {"eleven headers", with(repeat(10, "A: b\r\n")), {431}},
      {"headers without an end", "GET / HTTP/1.1\r\n" + repeat(100'000, "A: b\r\n"), {431}},
      {"headers of 1024 bytes", with("A: " + repeat(1008, "b") + "\r\n"), {200}, true},
      {"headers of 1025 bytes", with("A: " + repeat(1009, "b") + "\r\n"), {431}},
      {"a header without an end", "GET / HTTP/1.1\r\nA: " + repeat(1 << 20, "b"), {431}},
      {"a name without an end", "GET / HTTP/1.1\r\n" + repeat(1 << 16, "b"), {431}},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", {400}},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\nA: b\r\n\r\n", {200}},
      {"two Hosts", with("Host: y\r\n"), {400}},
      {"two Hosts that agree", with("host: x\r\n"), {400}},
      {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", {400}},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", {400}},
      {"Host with a user", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", {400}},
      {"Host with a blank", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", {400}},
      {"Host that is empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", {200}, true},
      {"Host of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {200}, true},
      {"Connection: close", with("Connection: close\r\n"), {200}},
      {"Connection: close in a list", with("Connection: te, CLOSE\r\n"), {200}},
      {"Connection: close against keep-alive",
       with("Connection: keep-alive\r\nConnection: close\r\n"),
       {200}},
      {"Connection: upgrade is no matter", with("Connection: upgrade\r\nUpgrade: h2c\r\n"), {200}, true},
      {"expectation that is not met", post("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"), {417}},
      {"compressed body", post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), {415}},
      {"body that is said not to be compressed",
       post("Content-Encoding: identity\r\nContent-Length: 1\r\n", "x"),
       {200},
       true},
      {"compressed twice", post("Content-Encoding: identity, br\r\nContent-Length: 1\r\n", "x"), {415}},
  };
}

std::vector<Case> lengths() {
  return {
      {"length", counted("5", "hello"), {200}, true},
      {"length 0", counted("0"), {200}, true},
      {"length of zeros", counted("000005", "hello"), {200}, true},
      {"no length", post(""), {200}, true},
      {"no length, but a body", post("", "hello\r\n\r\n"), {200, 400}},
      {"GET with a body", with("Content-Length: 2\r\n") + "ab", {200}, true},
      {"length empty", counted(""), {400}},
      {"length with a sign", counted("+5"), {400}},
      {"length below zero", counted("-1"), {400}},
      {"length in hex", counted("0x5"), {400}},
      {"length with a fraction", counted("5.0"), {400}},
      {"length with a blank", counted("1 0"), {400}},
      {"length with a letter", counted("5a"), {400}},
      {"length with an exponent", counted("1e1"), {400}},
      {"length in a list", counted("5, 5", "hello"), {400}},
      {"length in a list that differs", counted("5, 6", "hello!"), {400}},
      {"length in a list with a hole", counted("5,", "hello"), {400}},
      {"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), {400}},
      {"two lengths that agree", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), {400}},
      {"length of 20 digits", counted("18446744073709551617"), {400}},
      {"length of 2^64", counted("18446744073709551616"), {400}},
      {"length of 2^63", counted("9223372036854775808"), {400}},
      {"length of many digits", counted(repeat(200, "9")), {400}},
      {"length of 64", counted("64", repeat(64, "a")), {200}, true},
      {"length of 65", counted("65", repeat(65, "a")), {413}},
      {"length of 30 MB", counted("30000000", "a"), {413}},
      {"length with 100-continue", post("Content-Length: 65\r\nExpect: 100-continue\r\n"), {413}},
      {"length shorter than what follows",
       counted("2", "abGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
       {200, 200},
       true},
      {"length shorter than what follows, that is no request", counted("2", "ab\x01"), {200, 400}},
  };
}

std::vector<Case> codings() {
  const auto coded = [](const std::string& coding) {
    return post("Transfer-Encoding: " + coding + "\r\n", "5\r\nhello\r\n0\r\n\r\n");
  };
  return {
      {"chunked", coded("chunked"), {200}, true},
      {"chunked in capitals", coded("CHUNKED"), {200}, true},
      {"chunked behind blanks", coded(" \t chunked \t"), {200}, true},
      {"xchunked", coded("xchunked"), {501}},
      {"chunkedx", coded("chunkedx"), {501}},
      {"chunked in quotes", coded("\"chunked\""), {501}},
      {"gzip, chunked", coded("gzip, chunked"), {501}},
      {"chunked, gzip", coded("chunked, gzip"), {501}},
      {"chunked, chunked", coded("chunked, chunked"), {501}},
      {"chunked with a comma", coded("chunked,"), {501}},
      {"comma and chunked", coded(",chunked"), {501}},
      {"chunked with a parameter", coded("chunked;q=1"), {501}},
      {"identity", coded("identity"), {501}},
      {"empty coding", coded(""), {400}},
      {"vertical tab and chunked",
       coded("\x0b"
             "chunked"),
       {400}},
      {"two codings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), {400}},
      {"two codings that differ",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
       {400}},
      {"coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {400}},
      {"length and coding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}},
      {"unknown coding and length",
       post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "hello"),
       {400}},
      {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}},
      {"coding with an underscore is another header", post("Transfer_Encoding: chunked\r\n"), {200}, true},
  };
}

std::vector<Case> chunks() {
  return {
      {"no chunks", chunked("0\r\n\r\n"), {200}, true},
      {"two chunks", chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), {200}, true},
      {"size with zeros", chunked("0005\r\nhello\r\n000\r\n\r\n"), {200}, true},
      {"size in both letters", chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), {200}, true},
      {"size empty", chunked("\r\n"), {400}},
      {"size below zero", chunked("-2\r\n"), {400}},
      {"size with a sign", chunked("+5\r\nhello\r\n"), {400}},
      {"size with 0x", chunked("0x5\r\nhello\r\n"), {400}},
      {"size with an underscore", chunked("0_5\r\nhello\r\n"), {400}},
      {"size that is no number", chunked("xyz\r\n"), {400}},
      {"size behind a blank", chunked(" 5\r\nhello\r\n"), {400}},
      {"size and a blank", chunked("5 \r\nhello\r\n"), {400}},
      {"size of 17 digits", chunked("00000000000000005\r\nhello\r\n"), {400}},
      {"size of 2^64 and 5", chunked("10000000000000005\r\nhello\r\n"), {400}},
      {"size of 2^64 - 1", chunked("ffffffffffffffff\r\nhello\r\n"), {413}},
      {"size of 2^63", chunked("8000000000000000\r\nhello\r\n"), {413}},
      {"size and bare line feed", chunked("5\nhello\r\n"), {400}},
      {"size and bare carriage return", chunked("5\rX"), {400}},
      {"size and NUL", chunked("5" + text("\0", 1)), {400}},
      {"extension", chunked("5;a=b;c=\"d e\"\r\nhello\r\n0\r\n\r\n"), {200}, true},
      {"extension behind blanks", chunked("5 \t;a\r\nhello\r\n0;z\r\n\r\n"), {200}, true},
      {"extension with bare line feed", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), {400}},
      {"extension without a name", chunked("5;\r\nhello\r\n"), {400}},
      {"extension without a value", chunked("5;a=\r\nhello\r\n"), {400}},
      {"extension with a quote that does not end", chunked("5;a=\"\r\nhello\r\n0\r\n\r\n"), {400}},
      {"extension with an escaped quote", chunked("5;a=\"\\\"\"\r\nhello\r\n0\r\n\r\n"), {200}, true},
      {"extension without a semicolon", chunked("5 a=b\r\nhello\r\n"), {400}},
      {"extension without an end", chunked("5;" + repeat(5000, "a")), {400}},
      {"extension of 1 MB", chunked("5;" + repeat(1 << 20, "a") + "\r\nhello\r\n0\r\n\r\n"), {400}},
      {"extensions out of proportion",
       chunked(repeat(32, "1;" + repeat(2000, "a") + "\r\nb\r\n") + "0\r\n\r\n"),
       {400}},
      {"chunk longer than its size", chunked("5\r\nhello!\r\n0\r\n\r\n"), {400}},
      {"chunk shorter than its size", chunked("5\r\nhell\r\n0\r\n\r\n"), {400}},
      {"chunk with bare line feed behind", chunked("5\r\nhello\n0\r\n\r\n"), {400}},
      {"chunk with bare carriage return behind", chunked("5\r\nhello\r0\r\n\r\n"), {400}},
      {"chunk with nothing behind", chunked("5\r\nhello0\r\n\r\n"), {400}},
      {"64 bytes in chunks", chunked(repeat(32, "2\r\nab\r\n") + "0\r\n\r\n"), {200}, true},
      {"65 bytes in chunks", chunked(repeat(32, "2\r\nab\r\n") + "1\r\nc\r\n0\r\n\r\n"), {413}},
      {"chunk that would be too much", chunked("41\r\n"), {413}},
      {"trailer", chunked("0\r\nA: b\r\n\r\n"), {200}, true},
      {"trailer of a length", chunked("0\r\nContent-Length: 50\r\n\r\n"), {400}},
      {"trailer of a coding", chunked("0\r\ntransfer-encoding: chunked\r\n\r\n"), {400}},
      {"trailer of a host", chunked("0\r\nHost: y\r\n\r\n"), {400}},
      {"trailer without a colon", chunked("0\r\nA\r\n\r\n"), {400}},
      {"trailer with a blank before the colon", chunked("0\r\nA : b\r\n\r\n"), {400}},
      {"trailer that is folded", chunked("0\r\nA: b\r\n c\r\n\r\n"), {400}},
      {"trailer with bare line feed", chunked("0\r\nA: b\n\r\n"), {400}},
      {"trailer with NUL", chunked("0\r\nA: " + text("\0", 1) + "\r\n\r\n"), {400}},
      {"last chunk with bare line feed", chunked("0\n\n"), {400}},
      {"trailers without an end", chunked("0\r\n" + repeat(2000, "A: 123456789\r\n")), {431}},
      {"trailer line without an end", chunked("0\r\nA: " + repeat(5000, "b")), {400}},
      {"request behind the chunks", chunked("0\r\n\r\n") + kGood, {200, 200}, true},
  };
}

std::vector<Case> pipelines() {
  return {
      {"three requests at once", kGood + counted("5", "hello") + kGood, {200, 200, 200}, true},
      {"good, then bad", kGood + "BAD\r\n", {200, 400}},
      {"bad, then good", "BAD\r\n" + kGood, {400}},
      {"good, then no HTTP", kGood + text("\x16\x03\x01", 3), {200, 400}},
      {"closed, then good", with("Connection: close\r\n") + kGood, {200}},
      {"too large, then good", counted("65", repeat(65, "a")) + kGood, {413}},
      {"smuggled by two lengths", post("Content-Length: 0\r\nContent-Length: 44\r\n", kGood), {400}},
      {"smuggled by a coding",
       post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
       {400}},
      {"fifty requests", repeat(50, kGood), std::vector<int>(50, 200), true},
  };
}

}  // namespace

const std::vector<Case>& framing_cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    for (auto part : {request_lines(), headers(), lengths(), codings(), chunks(), pipelines()})
      cases.insert(cases.end(), part.begin(), part.end());
    return cases;
  }();
  return all;
}

}  // namespace galago::http::test
