// 特征平面的文字与说明。

export const words = {
  zh: {
    widget: "特征平面",
    point: "激活点",
    pointAt: "x {x}，y {y}",
    angle: "{name}的角度",
    arrow: "{name}的方向",
    add: "添加一个方向",
    spread: "均匀分布",
    remove: "移除{name}",
    directions: "各个方向",
    readouts: "每个特征读到什么",
    readoutsNote: "点与方向的点积，以及经过 ReLU 之后剩下的部分。",
    feature: "特征",
    readout: "读出值",
    relu: "ReLU",
    interference: "特征之间的干扰",
    interferenceNote: "沿行的方向、距离为 1 的点，在列的方向上也会读到这么多：即两者夹角的余弦。",
    circle: "圆：长度 {unit}",
    on: "激活",
    offState: "未激活",
    jump: "对齐激活点",
    jumpTo: "把激活点对齐到{name}",
    degrees: "{value}°",
    help:
      "拖动激活点或箭头的头部；也可聚焦其一后按方向键（按住 Shift 步子更大）。" +
      "虚线：激活点在每个方向上的投影。点线：鼠标所指的箭头在其他方向上的投影。",
    picture: "平面上的 {n} 个特征方向和一个激活点",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-plane-picture",
      say:
        "点是一个激活向量，每个箭头是一个特征的方向。两者都可以拖动，也可聚焦后用方向键移动。" +
        "虚线从点垂直落到方向上：垂足就是读出值。",
    },
    {
      at: ".saew-plane-side .saew-section:first-child",
      say: "每个方向的角度。可以添加特征，或使它们均匀分布。",
    },
    {
      at: ".saew-plane-side .saew-section:last-child",
      say: "每个特征的读出值：点与其方向的点积。",
    },
    {
      at: ".saew-plane-left .saew-section",
      say: "干扰：一个特征给另一个特征的读出值添加的量，即两者夹角的余弦。",
    },
  ],
};
