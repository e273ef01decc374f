// 剂量-反应的文字与说明。

export const words = {
  zh: {
    widget: "剂量-反应",
    kinds: "干预方式",
    strength: "强度，以特征最大激活值的倍数计",
    noStrength: "没有可选的强度",
    at: "{kind}，{multiple}×",
    rate: "{n} 段文本中 {share} 含有该概念",
    ratio: "困惑度是模型自身的 {value} 倍",
    passes: "符合所有界限",
    window: "最大激活值的 {low} 到 {high}× 可用（阴影）：所有界限在那里都成立。",
    oneWindow: "只有最大激活值的 {low}× 可用（阴影）：所有界限在那里都成立。",
    noWindow: "没有可用区间：没有一种强度使所有界限都成立。",
    bounds:
      "界限（虚线）：至少 {rate} 的文本含有该概念；同样的连续三个词在一段文本中至多出现 {repeats} 次；" +
      "困惑度至多是模型自身的 {ratio} 倍。",
    bands: "色带是各随机种子之间的 95 % 区间。单击图表，或在这里选择，可阅读文本。",
    seed: "种子 {seed}",
    yes: "有",
    no: "没有",
    empty: "（没有文本）",
    stopped: "在此中断",
    broke: "{of} 段中有 {n} 段中断：模型的数值不再有限",
    brokeMark: "{n} 段中断",
    repeats: "同样的连续三个词最多出现 {n} 次",
    says: { head: "{title}：", between: "；", end: "。" },
    table: "以表格显示所有数值",
    columns: ["干预方式", "强度", "文本数"],
    passesColumn: "界限",
    pass: "都成立",
    writing: {
      title: "再写一段",
      says: "本网页带有模型，能以任何强度、任何随机种子写出所选方式的文本，与测量时的做法相同。写出的文本不计入曲线。",
      strength: "强度，最大激活值的倍数",
      seed: "随机种子",
      write: "写",
      stop: "停止",
      status: { idle: "", writing: "正在写", stopped: "已停止", error: "失败" },
      cannot: "本网页无法写出“{kind}”的文本：请在上面选择另一种。",
      refused: "{name}：须是 {low} 到 {high} 的数；仍为 {now}。",
      default: "不作干预",
      at: "{kind}，{multiple}×",
      here: "{title}，种子 {seed}：",
      apart: "由本网页中的模型在此写出；不计入曲线。",
      held: "由本网页中的模型在此写出；不计入曲线，曲线所用的文本在上面。",
      broke: "在此中断",
      turn: "下一轮：测量时的文本只读到这里。",
      empty: "（没有文本）",
    },
    code: "相应的 Python 代码",
    chart: {
      label: "{name}。{kind}，{multiple}×：{value}。",
      none: "未测量",
      interval: "{value}（{low} 到 {high}）",
      strength: "强度",
    },
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-dose-kinds",
      say: "各种干预方式。每种在图中有自己的形状和颜色。",
    },
    {
      at: ".saew-dose-strength",
      say: "所选干预的强度，以特征最大激活值的倍数计。",
    },
    {
      at: ".saew-dose-charts",
      say: "每个点概括在一种强度下写出的文本。绿色带是可用区间：概念会出现，文本仍然通顺，也不重复。虚线是各项界限。",
    },
    {
      at: ".saew-dose-texts",
      say: "所选点背后的文本。请读几段：数字说不出文本是怎样变坏的。",
    },
    {
      at: ".saew-dose-writing",
      say: "测量中没有的文本：由本网页写出。曲线仍是当时测量的样子。",
    },
    {
      at: ".saew-details",
      say: "所有的点，以表格列出。",
    },
  ],
};
