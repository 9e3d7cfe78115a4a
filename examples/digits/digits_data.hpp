// SPDX-License-Identifier: MIT
#ifndef DIGITS_DIGITS_DATA_HPP
#define DIGITS_DIGITS_DATA_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <vector>

namespace digits {

inline constexpr std::size_t kPixels = 64;
inline constexpr std::size_t kClasses = 10;

/// One handwritten digit: 8 x 8 pixels in rows, each 0 (paper) to 16 (ink).
using Image = std::array<std::uint8_t, kPixels>;

/// What the network says about one image. Every byte is meaningful: there is no padding.
struct Prediction {
  std::array<float, kClasses> logits;
  std::uint32_t label;  ///< Index of the largest logit, the first one among equals.
};

/// A prediction from the network's last layer.
Prediction classify(std::span<const float, kClasses> logits);

/// Whether two predictions are the same bit by bit.
bool identical(const Prediction& a, const Prediction& b);

struct LabelledImages {
  std::vector<Image> images;
  std::vector<std::uint8_t> labels;  ///< One an image, below kClasses.
};

/// y = x * weights + bias, followed by max(y, 0) in every layer but the last.
struct Layer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::vector<float> weights;  ///< inputs x outputs, row by row.
  std::vector<float> bias;
};

/// The first layer takes kPixels raw pixels, the last gives kClasses logits, neighbours fit.
using Network = std::vector<Layer>;

/// A data file is missing or not what it should be. The message is one line that names the file.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Load the files that train_digits.py writes; data/README.md describes them. Throw DataError.
LabelledImages load_images(const std::filesystem::path& file);
Network load_network(const std::filesystem::path& file);

}  // namespace digits

#endif  // DIGITS_DIGITS_DATA_HPP
