// SPDX-License-Identifier: MIT
#include "digits_data.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

namespace digits {
namespace {

constexpr std::uint32_t kFormatVersion = 1;
// Far above what the example ships, far below what could exhaust memory.
constexpr std::uint32_t kMaxImages = 1 << 20;
constexpr std::uint32_t kMaxLayers = 64;
constexpr std::uint32_t kMaxWidth = 1 << 14;

/// Reads little-endian values from a file and refuses whatever does not fit.
class Reader {
 public:
  Reader(const std::filesystem::path& file, std::string_view magic)
      : name_(file.string()), stream_(file, std::ios::binary) {
    if (!stream_) fail("cannot be opened");
    std::string found(magic.size(), '\0');
    read(found.data(), found.size());
    if (found != magic) fail("does not start with '" + std::string(magic) + "'");
    number("format version", kFormatVersion, kFormatVersion);
  }

  /// One unsigned integer within [low, high].
  std::uint32_t number(const std::string& what, std::uint32_t low, std::uint32_t high) {
    std::array<unsigned char, 4> bytes;
    read(bytes.data(), bytes.size());
    std::uint32_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
    if (value < low || value > high) fail(what + " is " + std::to_string(value));
    return value;
  }

  std::vector<float> floats(std::size_t count) {
    static_assert(std::endian::native == std::endian::little,
                  "the files hold little-endian floats");
    std::vector<float> values(count);
    read(values.data(), count * sizeof(float));
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      fail("holds a number that is not finite");
    }
    return values;
  }

  template <class Byte>
  std::vector<Byte> bytes(std::size_t count) {
    static_assert(sizeof(Byte) == 1);
    std::vector<Byte> values(count);
    read(values.data(), count);
    return values;
  }

  void read(void* to, std::size_t size) {
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
    if (!stream_) fail("ends too early");
  }

  void expect_end() {
    if (stream_.peek() != std::ifstream::traits_type::eof()) fail("has bytes after its end");
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw DataError("data file " + name_ + " " + why);
  }

 private:
  std::string name_;
  std::ifstream stream_;
};

Layer read_layer(Reader& reader) {
  Layer layer;
  layer.inputs = reader.number("inputs of a layer", 1, kMaxWidth);
  layer.outputs = reader.number("outputs of a layer", 1, kMaxWidth);
  const std::vector<float> scale = reader.floats(layer.outputs);
  layer.bias = reader.floats(layer.outputs);
  const auto quantised = reader.bytes<std::int8_t>(layer.inputs * layer.outputs);
  layer.weights.resize(quantised.size());
  for (std::size_t i = 0; i < quantised.size(); ++i) {
    layer.weights[i] = scale[i % layer.outputs] * static_cast<float>(quantised[i]);
  }
  return layer;
}

}  // namespace

Prediction classify(std::span<const float, kClasses> logits) {
  Prediction prediction;
  std::copy(logits.begin(), logits.end(), prediction.logits.begin());
  prediction.label =
      static_cast<std::uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  return prediction;
}

bool identical(const Prediction& a, const Prediction& b) {
  static_assert(sizeof(Prediction) == sizeof(a.logits) + sizeof(a.label));
  return std::memcmp(&a, &b, sizeof(Prediction)) == 0;
}

LabelledImages load_images(const std::filesystem::path& file) {
  Reader reader(file, "DIGITIMG");
  const std::uint32_t count = reader.number("number of images", 1, kMaxImages);
  reader.number("pixels of an image", kPixels, kPixels);
  LabelledImages data;
  data.images.resize(count);
  for (Image& image : data.images) reader.read(image.data(), image.size());
  data.labels = reader.bytes<std::uint8_t>(count);
  for (const std::uint8_t label : data.labels) {
    if (label >= kClasses) reader.fail("holds the label " + std::to_string(label));
  }
  reader.expect_end();
  return data;
}

Network load_network(const std::filesystem::path& file) {
  Reader reader(file, "DIGITMLP");
  Network network(reader.number("number of layers", 1, kMaxLayers));
  std::size_t width = kPixels;
  for (Layer& layer : network) {
    layer = read_layer(reader);
    if (layer.inputs != width) {
      reader.fail("has a layer of " + std::to_string(layer.inputs) + " inputs after " +
                  std::to_string(width) + " outputs");
    }
    width = layer.outputs;
  }
  if (width != kClasses) reader.fail("gives " + std::to_string(width) + " logits");
  reader.expect_end();
  return network;
}

}  // namespace digits
