// DocLang, damaged and not: what becomes of each, and what is said about it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "documents/doctags_parser.h"
#include "documents/export.h"

namespace galago::documents {
namespace {

using namespace std::string_literals;

struct Damaged {
  std::string text;
  std::string markdown;
  std::string warnings;  ///< "kind offset detail" of each
};

// clang-format off
const Damaged kDamaged[] = {
    {"<doclang>",
     "",
     ""},
    {"<doclang version=\"0.8\"></doclang>",
     "",
     ""},
    {"Here: <doclang><text>A</text></doclang> end",
     "Here:\n\nA\n\nend",
     "stray_words 0; stray_words 40"},
    {"<doclang><text>A",
     "A",
     "unclosed_tag 9 text"},
    {"<doclang><text>A</te",
     "A",
     "cut_tag 16 </te; unclosed_tag 9 text"},
    {"<doclang><text>A <",
     "A &lt;",
     "unclosed_tag 9 text"},
    {"<doclang><text>1 < 2 & 3 &lt; 4 &#65;&#x42; &bad; &#0; &#99999999; &amp</text>",
     "1 &lt; 2 &amp; 3 &lt; 4 AB &amp;bad; &amp;#0; &amp;#99999999; &amp;amp",
     ""},
    {"<doclang><text><![CDATA[a < b ]] > <text>]]></text></doclang>",
     "a &lt; b ]] &gt; &lt;text&gt;",
     ""},
    {"<doclang><text>A<![CDATA[B]]>C</text>",
     "A B C",
     ""},
    {"<doclang><text><![CDATA[A]",
     "A]",
     "unclosed_tag 9 text"},
    {"<doclang><text><!-- no -->A<?pi x?></text></doclang>",
     "A",
     ""},
    {"<doclang><text>vector<int> x</text>",
     "vector&lt;int&gt; x",
     ""},
    {"<doclang><b>A</b></doclang>",
     "&lt;b&gt;A&lt;/b&gt;",
     "stray_words 9"},
    {"<doclang><heading>A</heading><heading level=\"2\">B</heading><heading level=\"9\">C</heading><heading level=\"x\">D</heading></doclang>",
     "# A\n\n## B\n\n###### C\n\n# D",
     ""},
    {"<doclang><text><location value=\"0\"/><location value=\"256\"/><location value=\"511\"/><location value=\"512\"/>A</text></doclang>",
     "A",
     ""},
    {"<doclang><text><location value=\"50\" resolution=\"100\"/><location value=\"1000\"/>A</text></doclang>",
     "A",
     "incomplete_box 9 text"},
    {"<doclang><head><default_resolution width=\"1000\" height=\"1000\"/></head><text><location value=\"100\"/><location value=\"100\"/><location value=\"900\"/><location value=\"900\"/>A</text></doclang>",
     "A",
     ""},
    {"<doclang><head>x<text>A</text></doclang>",
     "A",
     ""},
    {"<doclang><text><checkbox class=\"selected\"/>A</text><text><checkbox class=\"unselected\"/></text><text>A <checkbox class=\"selected\"/> B</text></doclang>",
     "- [x] A\n\n- [ ] \n\nA - [x]  B",
     ""},
    {"<doclang><text><handwriting>A</handwriting></text></doclang>",
     "A",
     ""},
    {"<doclang><list class=\"ordered\"><ldiv><marker>1.</marker></ldiv>A<ldiv/><text>B</text><list><ldiv/>C</list><ldiv><marker>x)</marker></ldiv>D</list></doclang>",
     "1. A\n2. B\n    - C\n- x) D",
     ""},
    {"<doclang><list>A<ldiv/>B",
     "- A\n- B",
     "stray_words 15 unordered_list; unclosed_tag 16 list_item; unclosed_tag 9 unordered_list"},
    {"<doclang><ldiv/>A<ldiv/>B</doclang>",
     "- A\n- B",
     "misplaced_token 9 list_item; unclosed_tag 9 list_item; unclosed_tag 17 list_item"},
    {"<doclang><list><ldiv><marker>A",
     "- A ",
     "unclosed_tag 15 list_item; unclosed_tag 9 unordered_list"},
    {"<doclang><list><ldiv/><formula>x</formula> and y</list></doclang>",
     "- $x$ and y",
     ""},
    {"<doclang><table><ched/>A<lcel/><nl/><corn/>B<fcel/>C<nl/></table></doclang>",
     "| A   | A   |\n|-----|-----|\n| B   | C   |",
     ""},
    {"<doclang><table><caption>T</caption><fcel/>A<nl/><fcel/>B</table></doclang>",
     "T\n\n| A   |\n|-----|\n| B   |",
     ""},
    {"<doclang><table><fcel/><text>A</text><fcel/><list><ldiv/>B<ldiv/>C</list><nl/></table></doclang>",
     "| A   | B C   |\n|-----|-------|",
     ""},
    {"<doclang><fcel/>A<nl/></doclang>",
     "| A   |\n|-----|",
     "misplaced_token 9 fcel"},
    {"<doclang><picture class=\"chart\"><label value=\"bar_chart\"/><tabular><fcel/>1<nl/></tabular><caption>C</caption></picture></doclang>",
     "C\n\n<!-- image -->\n\nBar chart\n\n| 1   |\n|-----|",
     ""},
    {"<doclang><picture><src uri=\"a.png\"/><description>no</description></picture></doclang>",
     "<!-- image -->",
     ""},
    {"<doclang><code><label value=\"Shell\"/>ls</code><code><content>  a\n  b</content></code></doclang>",
     "```\nls\n```\n\n```\na\n  b\n```",
     ""},
    {"<doclang><text>Let <formula>x</formula> be <bold>big</bold>.</text></doclang>",
     "Let $x$ be big.",
     ""},
    {"<doclang><field_region><field_item><key>Name</key><value>Ada</value><value>Eve</value></field_item><field_item><key>Age</key></field_item></field_region></doclang>",
     "Name: Ada, Eve  \nAge",
     ""},
    {"<doclang><key>A</key><value>B",
     "A: B",
     "unclosed_tag 21 value"},
    {"<doclang><text>A<br/>B</text></doclang>",
     "A  \nB",
     ""},
    {"<doclang><text>A</text><page_break/><text>B</text></doclang>",
     "A\n\nB",
     ""},
    {"<doclang><index><fcel/>A<fcel/>1<nl/></index></doclang>",
     "| A   | 1   |\n|-----|-----|",
     ""},
    {"<doclang><page_header><layer value=\"furniture\"/>H</page_header></doclang>",
     "",
     ""},
    {"<doclang><text a=\"1\" b='>'>A</text></doclang>",
     "A",
     ""},
    {"<doclang><text/><heading/></doclang>",
     "# ",
     ""},
    {"</doclang><doclang><text>A</text>",
     "A",
     "unknown_tag 0 </doclang>; unknown_tag 10 <doclang>"},
    {"<doclang><group><text>A</text></group></doclang>",
     "A",
     ""},
    {"<doclang><track><text>A</text></track></doclang>",
     "A",
     ""},
    {"<doclan><text>A</text>",
     "A",
     "unknown_tag 0 <doclan>"},
    {"<doclang><table><fcel/><table><fcel/>A<fcel/>B<nl/></table><fcel/><key>C</key><nl/></table></doclang>",
     "| A B   | C   |\n|-------|-----|",
     ""},
    {"<doclang><picture><text>A</text><caption>B</caption><custom><docling__smiles>CC</docling__smiles>no</custom></picture></doclang>",
     "B\n\n<!-- image -->\n\nCC\n\nA",
     ""},
    {"<doclang><field_region><text>A</text><text><field_item><key>B</key><value><checkbox class=\"selected\"/>C</value></field_item></text></field_region></doclang>",
     "A\n\nB: [x] C",
     ""},
    {"<doclang><text>\n  One\n  <bold>Two</bold>\n  Three\n</text></doclang>",
     "One Two Three",
     ""},
    {"<?xml version=\"1.0\"?><!DOCTYPE x><doclang><text>A</text></doclang>",
     "A",
     ""},
    {"<doclang><list><ldiv><marker>1.<text>A</text></list>",
     "1. A",
     ""},
};
// clang-format on

std::string shown(const std::vector<Warning>& warnings) {
  std::string out;
  for (const Warning& warning : warnings) {
    if (!out.empty()) out += "; ";
    out += std::string(repair_name(warning.kind)) + " " + std::to_string(warning.offset);
    if (!warning.detail.empty()) out += " " + warning.detail;
  }
  return out;
}

TEST(DamagedDocLang, AreReadAsFarAsTheyGo) {
  for (const Damaged& damaged : kDamaged) {
    const Document document = parse_doctags(damaged.text);
    EXPECT_EQ(to_markdown(document), damaged.markdown) << damaged.text;
    EXPECT_EQ(shown(document.warnings), damaged.warnings) << damaged.text;
    EXPECT_EQ(document.repairs, document.warnings.size()) << damaged.text;
  }
}

TEST(DamagedDocLang, AreTheSameByteForByte) {
  for (const Damaged& damaged : kDamaged) {
    DocTagsParser parser;
    for (const char& byte : damaged.text) parser.push({&byte, 1});
    EXPECT_EQ(parser.finish(), parse_doctags(damaged.text)) << damaged.text;
  }
}

}  // namespace
}  // namespace galago::documents
